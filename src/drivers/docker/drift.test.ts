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

/** The file that bounds its processes, where its main process is. */
function boundOf(pid: number): string {
  const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const [, first] = /^\d+:pids:(.*)$/m.exec(own) ?? /^0::(.*)$/m.exec(own) ?? [];
  const tops = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'];
  return tops.map((top) => join(top, first ?? '/', 'pids.max')).find((path) => existsSync(path))!;
}

describe.each(engines)('a running container of $name', { timeout: 120_000 }, ({ name, lacking }) => {
  let scratch: ScratchDocker;
  beforeAll(async () => {
    if (lacking.length === 0) scratch = await ScratchDocker.open({ engine: name });
  }, 120_000);
  afterAll(() => scratch?.close(), 60_000);

  const lineOf = async (engine: EngineDriver, { id }: TaskConfig) =>
    (await engine.isolation!(id, never)).mechanisms.find((each) => each.name === 'pids_limit');

  test.skipIf(lacking.length > 0)('that loses a limit has it no more in its report', async () => {
    const { engine } = scratch.driver();
    const [touched, left] = [await scratch.task(shell('sleep 1000')), await scratch.task(shell('sleep 1000'))];
    const started = await engine.start(touched, never);
    await engine.start(left, never);
    for (const each of [touched, left]) expect(await lineOf(engine, each)).toMatchObject({ state: 'verified' });
    const found = (await scratch.daemon.client.json('GET', `/containers/${started.state['containerId']}/json`, {
      signal: never,
    })) as {
      readonly State: { readonly Pid: number };
    };
    writeKernelText(boundOf(found.State.Pid), 'max');
    expect(await lineOf(engine, touched)).toMatchObject({ state: 'unavailable', evidence: 'pids.max max' });
    expect(await engine.isolation!(touched.id, never)).toMatchObject({ rung: 'none' });
    expect(await lineOf(engine, left)).toMatchObject({ state: 'verified' });

    const again = scratch.driver().engine;
    await again.recover(touched, JSON.parse(JSON.stringify(started.state)), never);
    expect(await lineOf(again, touched)).toMatchObject({ state: 'unavailable' });
    for (const each of [touched, left]) await engine.destroy(each.id, { force: true }, never);
  });
});
