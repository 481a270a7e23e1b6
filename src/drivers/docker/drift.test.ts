/** What somebody else takes away from a running container is said at the next look, after a restart of the agent too. Control: one that nobody touches. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { lackingForDaemon, lackingForPodman } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { writeKernelText } from '../../lib/node/kernel-file.ts';
import { ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
const engines = [
  { name: 'docker', lacking: lackingForDaemon },
  { name: 'podman', lacking: lackingForPodman },
] as const;

/** A file of a controller's, where its main process is. */
function fileOf(pid: number, controller: string, file: string): string {
  const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const row = new RegExp(`^\\d+:(?:[^:]*,)?${controller}(?:,[^:]*)?:(.*)$`, 'm');
  const [, first] = row.exec(own) ?? /^0::(.*)$/m.exec(own) ?? [];
  const tops = [`/sys/fs/cgroup/${controller}`, '/sys/fs/cgroup/unified', '/sys/fs/cgroup'];
  return tops.map((top) => join(top, first ?? '/', file)).find((path) => existsSync(path))!;
}

/** What bounds it beside its processes and memory: as `[controller, file, what somebody writes]`. */
const others: readonly (readonly [string, string, string])[] = existsSync('/sys/fs/cgroup/memory')
  ? [
      ['cpu', 'cpu.shares', '9000'],
      ['memory', 'memory.swappiness', '60'],
      ['memory', 'memory.soft_limit_in_bytes', '-1'],
    ]
  : [
      ['cpu', 'cpu.weight', '9000'],
      ['memory', 'memory.swap.max', 'max'],
      ['memory', 'memory.low', '0'],
    ];

describe.each(engines)('a running container of $name', { timeout: 120_000 }, ({ name, lacking }) => {
  let scratch: ScratchDocker;
  beforeAll(async () => {
    if (lacking.length === 0) scratch = await ScratchDocker.open({ engine: name });
  }, 120_000);
  afterAll(() => scratch?.close(), 60_000);

  const lineOf = async (engine: EngineDriver, { id }: TaskConfig, line = 'pids_limit') =>
    (await engine.isolation!(id, never)).mechanisms.find((each) => each.name === line);
  const pidOf = async (containerId: unknown): Promise<number> => {
    const path = `/containers/${String(containerId)}/json`;
    const found = (await scratch.daemon.client.json('GET', path, { signal: never })) as {
      readonly State: { readonly Pid: number };
    };
    return found.State.Pid;
  };

  test.skipIf(lacking.length > 0)('that loses a limit has it no more in its report', async () => {
    const { engine } = scratch.driver();
    const [touched, left] = [await scratch.task(shell('sleep 1000')), await scratch.task(shell('sleep 1000'))];
    const started = await engine.start(touched, never);
    await engine.start(left, never);
    for (const each of [touched, left]) expect(await lineOf(engine, each)).toMatchObject({ state: 'verified' });
    writeKernelText(fileOf(await pidOf(started.state['containerId']), 'pids', 'pids.max'), 'max');
    expect(await lineOf(engine, touched)).toMatchObject({ state: 'unavailable', evidence: 'pids.max max' });
    expect(await engine.isolation!(touched.id, never)).toMatchObject({ rung: 'none' });
    expect(await lineOf(engine, left)).toMatchObject({ state: 'verified' });

    const again = scratch.driver().engine;
    await again.recover(touched, JSON.parse(JSON.stringify(started.state)), never);
    expect(await lineOf(again, touched)).toMatchObject({ state: 'unavailable' });
    for (const each of [touched, left]) await engine.destroy(each.id, { force: true }, never);
  });

  test.skipIf(lacking.length > 0)('that loses its share, its swap or its reserve says so of its limits', async () => {
    const { engine } = scratch.driver();
    const resources = { cpuShares: 150, cpusetCpus: '', memoryMb: 64, memoryMaxMb: 128, percentTicks: 0, ports: [] };
    const task = await scratch.task(shell('sleep 1000'), { resources });
    const { state } = await engine.start(task, never);
    const pid = await pidOf(state['containerId']);
    expect(await lineOf(engine, task, 'cgroup_limits')).toMatchObject({ state: 'verified' });
    for (const [controller, file, other] of others) {
      const path = fileOf(pid, controller, file);
      const before = readFileSync(path, 'utf8').trim();
      writeKernelText(path, other);
      const { state: now, evidence } = (await lineOf(engine, task, 'cgroup_limits'))!;
      expect(`${now}: ${evidence}`).toMatch(new RegExp(`^unavailable: .*${file} (\\d+|max), not ${before}$`));
      writeKernelText(path, before);
      expect(await lineOf(engine, task, 'cgroup_limits')).toMatchObject({ state: 'verified' });
    }
    await engine.destroy(task.id, { force: true }, never);
  });

  test.skipIf(lacking.length > 0 || !existsSync('/sys/fs/cgroup/devices'))(
    'that is let have a device it did not start with has its devices no more denied',
    async () => {
      const { engine } = scratch.driver();
      const task = await scratch.task(shell('sleep 1000'));
      const { state } = await engine.start(task, never);
      expect(await lineOf(engine, task, 'devices')).toMatchObject({ state: 'verified' });
      writeKernelText(fileOf(await pidOf(state['containerId']), 'devices', 'devices.allow'), 'b 7:7 r');
      const now = await lineOf(engine, task, 'devices');
      expect(now).toMatchObject({ state: 'unavailable', evidence: 'allowed since its start: b 7:7 r' });
      await engine.destroy(task.id, { force: true }, never);
    },
  );
});
