/** The attacks as root of a machine of `microvm`, with or without a network of its own. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { findKernel } from '../../src/drivers/microvm/kernels.ts';
import type { Attacks } from './attack-program.ts';
import { attackFrom, type Place, record } from './attack-task.ts';

const programs = ['/usr/bin/qemu-system-x86_64', '/usr/sbin/mke2fs'];
export const machinesAreHere = programs.every((path) => existsSync(path)) && (await findKernel('')) !== null;

/** Root of a kernel of its own does to that as it likes; these look for something that is outside. */
const ofTheHost = /of the host|the host's|of other tasks|enter another's/;
/** Of which these find the machine's own by the same name. */
const ofTheMachine = ["change the host's name", "set the host's name by a file"];
const ownSettings = ['core_pattern', 'domainname', 'randomize_va_space'];
/** What is verified of the monitor. */
const ofTheMonitor = [
  'seccomp',
  'unique_uid',
  'empty_capabilities',
  'pid_namespace',
  'mount_namespace',
  'no_new_privs',
];

export async function attackFromMachine(attacks: Attacks, network: Pick<Place, 'network'> = {}): Promise<void> {
  const files = join(dirname(attacks.plant), 'machine');
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'etc']) mkdirSync(join(files, name), { recursive: true });
  execFileSync('cp', ['-a', attacks.plant, files]);
  const plugin = { image_paths: [dirname(attacks.plant)] };
  const place = {
    who: 'root',
    driver: 'microvm',
    rung: 'sandbox',
    plugin,
    config: { rootfs: files },
    ...network,
  } as const;
  const settings = () => [
    hostname(),
    ...ownSettings.map((name) => readFileSync(join('/proc/sys/kernel', name), 'utf8')),
  ];
  const before = settings();
  const { attempts, rung, verified } = await attackFrom(attacks, place);
  record(attacks, place, rung, attempts);
  const through = attempts.filter(({ outcome }) => outcome === 'through').map(({ name }) => name);
  expect(through.filter((name) => ofTheHost.test(name))).toEqual(ofTheMachine);
  // it came so far as to do to its own kernel what it liked
  expect(through.length).toBeGreaterThan(80);
  expect(settings()).toEqual(before);
  expect(['sandbox', 'container']).toContain(rung);
  expect(verified).toEqual(expect.arrayContaining(ofTheMonitor));
}
