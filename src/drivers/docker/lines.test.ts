// Output at full speed, on both streams at once, while the collector is killed again and again: each line once.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lackingForDaemon, lackingForPodman } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { outputOf, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
const engines = [
  { name: 'docker', lacking: lackingForDaemon },
  { name: 'podman', lacking: lackingForPodman },
] as const;
// less than an engine keeps
const count = 8_000;

describe.each(engines)('lines of $name', { timeout: 120_000 }, ({ name, lacking }) => {
  let scratch: ScratchDocker;
  beforeAll(async () => {
    if (lacking.length === 0) scratch = await ScratchDocker.open({ engine: name });
  }, 120_000);
  afterAll(() => scratch?.close(), 60_000);

  test.skipIf(lacking.length > 0)(
    'come once each, in order, of both streams, however often the collector dies',
    async () => {
      const { engine } = scratch.driver();
      const loop = (stream: string) =>
        `i=0; while [ $i -lt ${count} ]; do echo line $i; i=$((i+1)); [ $((i % 50)) != 0 ] || usleep 20000; done >&${stream}`;
      const of = await scratch.task(shell(`sleep 1; (${loop('1')}) & (${loop('2')}) & wait`));
      await engine.start(of, never);
      const said = Array.from({ length: count }, (_, at) => `line ${at}\n`).join('');
      let killed = 0;
      for (let stored = ''; stored.length < said.length; await sleep(50)) {
        const now = await outputOf(of);
        if (now.length === stored.length) continue;
        stored = now;
        if (killed < 4)
          for (const pid of await scratch.collectorPids()) {
            process.kill(pid, 'SIGKILL');
            killed++;
          }
      }
      await engine.wait(of.id, never);
      for (const stream of ['stdout', 'stderr']) expect((await outputOf(of, stream)) === said, stream).toBe(true);
      await engine.destroy(of.id, { force: false }, never);
    },
  );
});
