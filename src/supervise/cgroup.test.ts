import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { ExitRecord, Shim, StartRecord } from './contract.ts';
import { emptyCgroups, processesIn } from './kill-unit.ts';
import { locateNative } from './locate.ts';
import { endOf, scratchRecord } from './scratch-record.ts';
import { createSupervisor } from './supervisor.ts';
import { startTimeOf } from './this-host.ts';

const bomb = `
import os
while True:
    try: os.fork()
    except OSError: pass
`;

/** Real cgroups, in whichever hierarchy this host has each controller: v1 beside this process's own group, or v2. */

const { SIGKILL } = constants.signals;
const own = existsSync('/proc/self/cgroup') ? readFileSync('/proc/self/cgroup', 'utf8') : '';

function v1(controller: string): string | null {
  const path = own
    .split('\n')
    .find((line) => line.split(':')[1] === controller)
    ?.split(':')[2];
  const directory = `/sys/fs/cgroup/${controller}${path ?? ''}`;
  return path !== undefined && existsSync(directory) ? directory : null;
}

function writable(): boolean {
  const parent = v1('pids');
  if (parent === null || process.getuid?.() !== 0) return false;
  try {
    mkdirSync(join(parent, `drover-probe-${process.pid}`));
    rmdirSync(join(parent, `drover-probe-${process.pid}`));
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(locateNative('drover-shim') === null || !writable())(
  'with cgroups of version 1, the native shim',
  () => {
    const base = mkdtempSync(join(tmpdir(), 'drover-cgroup-'));
    const supervisor = createSupervisor({ kind: 'native' });
    const made: string[] = [];
    let counter = 0;

    afterEach(async () => {
      await emptyCgroups(made);
      for (const directory of made.splice(0).reverse()) rmdirSync(directory);
    });
    afterAll(async () => {
      await supervisor.close();
      rmSync(base, { recursive: true, force: true });
    });

    function group(controller: string): string {
      const directory = join(v1(controller) as string, `drover-test-${process.pid}-${counter}`);
      mkdirSync(directory);
      made.push(directory);
      return directory;
    }

    const record = (script: string, more: Partial<StartRecord>) =>
      scratchRecord(base, ++counter, ['sh', '-c', script], more);

    async function end(shim: Shim): Promise<ExitRecord> {
      const ended = await endOf(shim);
      await shim.shutdown();
      return ended;
    }

    async function filled(directory: string, count: number): Promise<void> {
      for (let i = 0; i < 400 && (await processesIn([directory])).pids.size < count; i++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      expect((await processesIn([directory])).pids.size).toBeGreaterThanOrEqual(count);
    }

    test.skipIf(v1('freezer') === null)(
      'ends everything in the group, with and without the freezer, and is not in it itself',
      async () => {
        for (const controllers of [['freezer', 'pids'], ['pids']]) {
          counter += 1;
          const directories = controllers.map(group);
          const script = "for i in 1 2 3; do setsid env -i sh -c 'sleep 67 & sleep 68' & done; sleep 60";
          const shim = await supervisor.start(
            record(script, { cgroups: directories, killUnit: { kind: 'cgroup', directories } }),
          );
          // the shell and its sleep, and three times a shell with two: all of them, else the two counts are of different moments
          await filled(directories[0] as string, 11);
          const { pids: inside } = await processesIn(directories);
          expect(inside.has(shim.pid)).toBe(false);
          expect((await shim.status()).processes).toBe(inside.size);
          await shim.stop({ timeoutMs: 100 });
          expect(await end(shim)).toMatchObject({ leftover: 0, killUnit: 'cgroup' });
          expect((await processesIn(directories)).pids.size).toBe(0);
          for (const pid of inside) expect(startTimeOf(pid)).toBe(0n);
        }
      },
    );

    test('ends a fork bomb', async () => {
      const directories = ['pids', 'freezer'].filter((each) => v1(each) !== null).map(group);
      writeFileSync(join(directories[0] as string, 'pids.max'), '100');
      const shim = await supervisor.start(
        record(`exec python3 -c '${bomb}'`, {
          cgroups: directories,
          killUnit: { kind: 'cgroup', directories },
        }),
      );
      await filled(directories[0] as string, 40);
      const from = Date.now();
      await shim.stop({ timeoutMs: 50 });
      expect(await end(shim)).toMatchObject({ leftover: 0 });
      expect(Date.now() - from).toBeLessThan(3000);
      expect((await processesIn(directories)).pids.size).toBe(0);
    });

    test('leaves to its client, when it is killed itself, a group that is then emptied', async () => {
      const directories = ['pids', 'freezer'].filter((each) => v1(each) !== null).map(group);
      const script = "setsid env -i sh -c 'sleep 69' & sleep 60";
      const shim = await supervisor.start(
        record(script, { cgroups: directories, killUnit: { kind: 'cgroup', directories } }),
      );
      await filled(directories[0] as string, 2);
      process.kill(shim.pid, 'SIGKILL');
      expect(await shim.wait()).toMatchObject({ unknown: 'shim-lost' });
      expect((await processesIn(directories)).pids.size).toBe(0);
    });

    test.skipIf(v1('memory') === null)('says out of memory when the kernel says so, and only then', async () => {
      const told: unknown[] = [];
      for (const script of ['exec python3 -c "x = bytearray(90 << 20)"', 'kill -KILL $$']) {
        counter += 1;
        const directories = ['memory', 'pids'].map(group);
        writeFileSync(join(directories[0] as string, 'memory.limit_in_bytes'), `${20 << 20}`);
        const unit = {
          cgroups: directories,
          killUnit: { kind: 'cgroup', directories },
          memoryCgroup: directories[0] as string,
        } as const;
        const shim = await supervisor.start(record(script, unit));
        const { oomKilled, by, signal } = await end(shim);
        told.push([oomKilled, by, signal]);
      }
      expect(told).toEqual([
        [true, 'oom', SIGKILL],
        [false, 'task', SIGKILL],
      ]);
    });
  },
);
