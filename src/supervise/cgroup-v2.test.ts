import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { StartRecord } from './contract.ts';
import { emptyCgroups, processesIn } from './kill-unit.ts';
import { locateNative } from './locate.ts';
import { endOf, scratchRecord } from './scratch-record.ts';
import { createSupervisor } from './supervisor.ts';
import { startTimeOf } from './this-host.ts';

/**
 * The kill path of version 2, `cgroup.kill`, for real. It needs no controller, so a hybrid host will do, where the v2 hierarchy is mounted
 * beside those of v1. What needs the memory controller in v2 is skipped there.
 */

const { SIGKILL } = constants.signals;

/** This process's own group in the v2 hierarchy; null where there is none. */
function ownGroup(): string | null {
  if (!existsSync('/proc/self/mounts')) return null;
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find((columns) => columns[2] === 'cgroup2')?.[1];
  const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  const directory = mount === undefined || path === undefined ? null : join(mount, path);
  return directory !== null && existsSync(directory) ? directory : null;
}

const parent = process.getuid?.() === 0 ? ownGroup() : null;
const hands = (controller: string) =>
  parent !== null && readFileSync(join(parent, 'cgroup.subtree_control'), 'utf8').split(/\s/).includes(controller);

const bomb = `
import os
while True:
    try: os.fork()
    except OSError: pass
`;

describe.skipIf(locateNative('drover-shim') === null || parent === null)('with a cgroup of version 2', () => {
  const base = mkdtempSync(join(tmpdir(), 'drover-cgroup2-'));
  const supervisor = createSupervisor({ kind: 'native' });
  let group = '';
  let counter = 0;

  function make(): string {
    group = join(parent ?? '', `drover-test-${process.pid}-${++counter}`);
    mkdirSync(group);
    expect(existsSync(join(group, 'cgroup.kill'))).toBe(true);
    return group;
  }

  afterEach(async () => {
    if (group === '' || !existsSync(group)) return;
    await emptyCgroups([group]);
    for (const entry of readdirSync(group, { withFileTypes: true }))
      if (entry.isDirectory()) rmdirSync(join(group, entry.name));
    rmdirSync(group);
  });
  afterAll(async () => {
    await supervisor.close();
    rmSync(base, { recursive: true, force: true });
  });

  const record = (script: string, more: Partial<StartRecord> = {}) => {
    const directories = [make()];
    const unit = { cgroups: directories, killUnit: { kind: 'cgroup', directories } } as const;
    return scratchRecord(base, counter, ['sh', '-c', script], { ...unit, ...more });
  };

  async function filled(count: number): Promise<ReadonlySet<number>> {
    for (let i = 0; i < 400 && (await processesIn([group])).pids.size < count; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const { pids: found } = await processesIn([group]);
    expect(found.size).toBeGreaterThanOrEqual(count);
    return found;
  }

  /** Daemons with an empty environment, half of them in a group that the task has made below its own. */
  const spread = () =>
    `mkdir $0/below; for i in 1 2 3; do setsid env -i sh -c 'sleep 67 & sleep 68' & done
     (echo 0 > $0/below/cgroup.procs; setsid env -i sh -c 'sleep 69 & sleep 70' & sleep 71) & sleep 60`;
  const spreading = () => {
    const of = record('');
    return { ...of, command: ['sh', '-c', spread(), group] };
  };

  test('a stop ends everything in it and below it, a frozen group too, and the shim is not in it', async () => {
    for (const freeze of ['0', '1']) {
      const shim = await supervisor.start(spreading());
      await filled(12);
      await expect.poll(async () => (await processesIn([join(group, 'below')])).pids.size).toBeGreaterThanOrEqual(4);
      const { pids: inside } = await processesIn([group]);
      expect(inside.has(shim.pid)).toBe(false);
      writeFileSync(join(group, 'below', 'cgroup.freeze'), freeze);
      await shim.stop({ timeoutMs: 100 });
      expect(await endOf(shim)).toMatchObject({ leftover: 0, killUnit: 'cgroup' });
      expect((await processesIn([group])).pids.size).toBe(0);
      for (const pid of inside) expect(startTimeOf(pid)).toBe(0n);
      await shim.shutdown();
      rmdirSync(join(group, 'below'));
      rmdirSync(group);
    }
  });

  test('a stop ends a fork bomb', async () => {
    const limits = { uid: 23_456, gid: 23_456, rlimits: [{ resource: 6, soft: 80n, hard: 80n }] };
    const shim = await supervisor.start(record(`exec python3 -c '${bomb}'`, { identity: limits }));
    await filled(40);
    const from = Date.now();
    await shim.stop({ timeoutMs: 50 });
    expect(await endOf(shim)).toMatchObject({ leftover: 0 });
    expect(Date.now() - from).toBeLessThan(3000);
    expect((await processesIn([group])).pids.size).toBe(0);
    await shim.shutdown();
  });

  test('what a killed shim has left in it is ended by its client, with the native program and without', async () => {
    const shim = await supervisor.start(spreading());
    await filled(12);
    process.kill(shim.pid, 'SIGKILL');
    expect(await shim.wait()).toMatchObject({ unknown: 'shim-lost' });
    expect((await processesIn([group])).pids.size).toBe(0);
    rmdirSync(join(group, 'below'));
    rmdirSync(group);
    const other = await supervisor.start(spreading());
    await filled(12);
    expect(await emptyCgroups([group])).toEqual({ processes: 0, unread: '' });
    expect(await endOf(other)).toMatchObject({ signal: SIGKILL, by: 'task' });
    await other.shutdown();
  });

  test('its memory.events are read in the format the kernel documents', async () => {
    const told: unknown[] = [];
    for (const kills of [0, 1]) {
      const place = mkdtempSync(join(base, 'memory-'));
      const lines = ['low 0', 'high 0', 'max 12', 'oom 3', `oom_kill ${kills}`, 'oom_group_kill 7', ''];
      writeFileSync(join(place, 'memory.events'), lines.join('\n'));
      const shim = await supervisor.start(record('kill -KILL $$', { memoryCgroup: place }));
      const { by, oomKills, signal } = await endOf(shim);
      told.push([by, oomKills, signal]);
      await shim.shutdown();
      rmdirSync(group);
    }
    expect(told).toEqual([
      ['task', 0, SIGKILL],
      ['oom', 1, SIGKILL],
    ]);
  });

  // A hybrid host has the memory controller in v1: there cgroup.test.ts sees real kills, and this is skipped.
  test.skipIf(!hands('memory'))('says out of memory when the kernel has counted it there', async () => {
    const of = record('exec python3 -c "x = bytearray(90 << 20)"');
    writeFileSync(join(group, 'memory.max'), `${20 << 20}`);
    if (existsSync(join(group, 'memory.swap.max'))) writeFileSync(join(group, 'memory.swap.max'), '0');
    const shim = await supervisor.start({ ...of, memoryCgroup: group });
    expect(await endOf(shim)).toMatchObject({ by: 'oom', oomKilled: true, signal: SIGKILL });
    await shim.shutdown();
  });
});
