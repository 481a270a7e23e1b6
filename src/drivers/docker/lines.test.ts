// Output at full speed, on both streams at once, while the collector is killed again and again: each line once.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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

  test.skipIf(lacking.length > 0).each([{ tty: false }, { tty: true }])(
    'are kept as they are, be they long, empty, without an end, of odd bytes or like what the engine puts around them ($tty)',
    async ({ tty }) => {
      const { engine } = scratch.driver();
      const odd = [
        `${'long '.repeat(20_000)}\n\n\n\0\0\n\x1b[1mbold\x1b[0m\n`,
        '2026-01-02T03:04:05.123456789Z like a stamp\n 2026-01-02T03:04:05Z\n',
        '\x01\0\0\0\0\0\0\x05hello\nÜmläute und 🚂\n',
        `${'x'.repeat(16_384)}\n${'y'.repeat(16_383)}\n${'z'.repeat(70_000)}`,
      ].join('');
      const of = await scratch.task(shell('printf pass; sleep 0.3; echo word; cat /local/odd', { tty }));
      await writeFile(join(of.directories.local, 'odd'), odd);
      const { stdout } = await scratch.run(engine, of);
      const said = tty ? stdout.replaceAll('\r\n', '\n') : stdout;
      expect(said.length).toBe(`password\n${odd}`.length);
      expect(said === `password\n${odd}`).toBe(true);
    },
  );
});
