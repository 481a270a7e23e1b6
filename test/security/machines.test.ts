/**
 * Machines, from both sides: what a guest reaches of the host, and what an emulator reaches that its guest has taken over. Control: the same
 * attacks where nothing protects.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKernel } from '../../src/drivers/microvm/kernels.ts';
import { type Attacks, buildAttacks } from './attack-program.ts';
import { attackFrom, judge, record } from './attack-task.ts';

const root = process.getuid?.() === 0;

let attacks: Attacks;
beforeAll(() => {
  if (root) attacks = buildAttacks();
});
afterAll(() => attacks?.remove());

describe.skipIf(!root)('an emulator that its guest has taken over', () => {
  it.each([
    { who: 'root', rung: 'container' },
    { who: 'root', rung: 'sandbox' },
    { who: 'an ordinary user', rung: 'sandbox' },
  ] as const)('gets no more than a task of rung $rung under an agent of $who', async ({ who, rung: wanted }) => {
    const place = {
      who,
      driver: 'qemu',
      rung: wanted,
      // what rlimits bound is four times what a task may have, the emulator's own share included
      plugin: { image_paths: [attacks.plant], pids_limit: 256, memory_headroom: 0 },
      config: { image_path: join(attacks.plant, 'foreign') },
    } as const;
    const { attempts, rung } = await attackFrom(attacks, place);
    record(attacks, place, rung, attempts);
    expect(rung).toBe(wanted);
    judge(place, attempts);
  });
});

const kernel = await findKernel('');
const machines = ['/usr/bin/qemu-system-x86_64', '/usr/sbin/mke2fs'].every((path) => existsSync(path));

/** Root of a kernel of its own does to that as it likes; these look for something that is outside. */
const ofTheHost = /of the host|the host's|of other tasks|enter another's/;
/** Of which these find the machine's own by the same name. */
const ofTheMachine = ["change the host's name", "set the host's name by a file"];
const ownSettings = ['core_pattern', 'domainname', 'randomize_va_space'];

describe.skipIf(!root || !machines || kernel === null)('a guest of microvm that is root of its machine', () => {
  it('gets nothing of the host, and its monitor is held at rung sandbox at least', async () => {
    const files = join(dirname(attacks.plant), 'machine');
    for (const name of ['proc', 'sys', 'dev', 'tmp', 'etc']) mkdirSync(join(files, name), { recursive: true });
    execFileSync('cp', ['-a', attacks.plant, files]);
    const place = {
      who: 'root',
      driver: 'microvm',
      rung: 'sandbox',
      plugin: { image_paths: [dirname(attacks.plant)] },
      config: { rootfs: files },
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
    for (const line of [
      'seccomp',
      'unique_uid',
      'empty_capabilities',
      'pid_namespace',
      'mount_namespace',
      'no_new_privs',
    ])
      expect(verified).toContain(line);
  }, 180_000);
});
