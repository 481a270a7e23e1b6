/**
 * Machines, from both sides: what a guest reaches of the host, and what an emulator reaches that its guest has taken over. Controls: the same
 * tries and attacks where nothing protects.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDriver } from '../../src/driver-kit/driver-plugin.ts';
import { openScratchHost } from '../../src/driver-kit/scratch-host.ts';
import { microvm } from '../../src/drivers/microvm/index.ts';
import { findKernel } from '../../src/drivers/microvm/kernels.ts';
import { controlTries, readTries, startCanary, tryWords } from '../../src/isolation/tries.ts';
import { locateNative } from '../../src/supervise/locate.ts';
import { type Attacks, buildAttacks } from './attack-program.ts';
import { attackFrom, judge, record } from './attack-task.ts';

const root = process.getuid?.() === 0;

describe.skipIf(!root)('an emulator that its guest has taken over', () => {
  let attacks: Attacks;
  beforeAll(() => {
    attacks = buildAttacks();
  });
  afterAll(() => attacks.remove());

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
const machines = ['/usr/bin/qemu-system-x86_64', '/usr/sbin/mke2fs', '/bin/busybox'].every((path) => existsSync(path));
const verifier = locateNative('drover-verify');

describe.skipIf(!root || !machines || kernel === null || verifier === null)('a guest of microvm', () => {
  // what of the host it might look for; in its own kernel it may do what it likes
  const ofTheHost = /^(mount_namespace|pid_namespace|ipc_namespace|unique_uid|network_namespace|network_policy) /;

  it('reaches nothing of the host, and its monitor is held at rung sandbox at least', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'drover-guest-'));
    chmodSync(scratch, 0o755);
    const host = await openScratchHost({ isolation: true });
    const driver = openDriver(microvm, { image_paths: [scratch] }, host.deps);
    const canary = await startCanary(verifier!);
    try {
      const files = join(scratch, 'root');
      for (const name of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp']) mkdirSync(join(files, name), { recursive: true });
      copyFileSync(verifier!, join(files, 'bin/verify'));
      writeFileSync(join(scratch, 'host'), 'host');
      const words = [...canary.words, `host_file=${join(scratch, 'host')}`];
      const control = (await controlTries(verifier!, [...words, 'scratch=/tmp'])).filter((name) =>
        ofTheHost.test(name),
      );
      expect(control).toEqual(
        expect.arrayContaining([
          'network_namespace an abstract socket of the host',
          "network_policy the host's loopback",
        ]),
      );
      expect(control.length).toBeGreaterThanOrEqual(6);
      // more than a guest has of either would end it, not the host
      const args = ['try', ...tryWords('guest', [...words, 'scratch=/tmp', 'processes=8', 'memory_mb=1'])];
      const task = await host.task(
        driver,
        { rootfs: files, command: '/bin/verify', args },
        { resources: { cpuShares: 500, cpusetCpus: '', memoryMb: 128, memoryMaxMb: 0, percentTicks: 0.1, ports: [] } },
      );
      const never = new AbortController().signal;
      const { isolation } = await driver.engine.start(task, never);
      expect(['sandbox', 'container']).toContain(isolation?.rung);
      const verified = new Set(
        isolation!.mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name),
      );
      for (const line of [
        'seccomp',
        'unique_uid',
        'empty_capabilities',
        'pid_namespace',
        'mount_namespace',
        'no_new_privs',
      ])
        expect(verified).toContain(line);
      await driver.engine.wait(task.id, never);
      const said = readFileSync(join(task.directories.logs, `${task.name}.stdout.0`), 'utf8').replaceAll('\r', '');
      await driver.engine.destroy(task.id, { force: true }, never);
      const through = (readTries(said, 'guest') ?? [])
        .filter(({ outcome }) => outcome === 'through')
        .map(({ line, name }) => `${line} ${name}`);
      // it came to its end, and had its own kernel
      expect(through).toContain('seccomp mount');
      expect(through.filter((name) => ofTheHost.test(name))).toEqual([]);
    } finally {
      canary.remove();
      await driver.engine.close();
      await host.close();
      rmSync(scratch, { recursive: true, force: true });
    }
  }, 180_000);
});
