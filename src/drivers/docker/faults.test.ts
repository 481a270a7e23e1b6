// Each engine killed, frozen, answering nonsense, on a full disk; the agent and the log collector killed: no task, exit code or line is lost.
import { spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { TaskHandleState } from '../../driver/contract.ts';
import { lackingForDaemon, lackingForPodman } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { EvilProxy, type Nonsense } from './evil-proxy.ts';
import { firstReport, listen, outputOf, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
// each of many tasks that are started at once asks with it
setMaxListeners(0, never);
const stored = (state: TaskHandleState): TaskHandleState => JSON.parse(JSON.stringify(state)) as TaskHandleState;

/** `survives`: containers outlive the engine. */
const engines = [
  { name: 'docker with live-restore', engine: 'docker', liveRestore: true, survives: true, lacking: lackingForDaemon },
  { name: 'docker', engine: 'docker', liveRestore: false, survives: false, lacking: lackingForDaemon },
  { name: 'podman', engine: 'podman', liveRestore: false, survives: true, lacking: lackingForPodman },
] as const;

/** `n` numbered lines, a pause after each; then 3. */
const lines = (n: number, pause: string): Record<string, unknown> =>
  shell(`i=0; while [ $i -lt ${n} ]; do echo line $i; i=$((i+1)); sleep ${pause}; done; exit 3`);
const numbered = (n: number): string => Array.from({ length: n }, (_, i) => `line ${i}\n`).join('');

const withMemory = (memoryMb: number) => ({
  ...{ cpuShares: 100, cpusetCpus: '', percentTicks: 0.1, ports: [] },
  ...{ memoryMb, memoryMaxMb: 0 },
});

// each engine by itself: they wait more than they work
describe.concurrent.each(engines)(
  '$name under faults',
  { timeout: 180_000 },
  ({ engine: engineName, liveRestore, survives, lacking }) => {
    const here = lacking.length > 0 ? test.sequential.skip : test.sequential;
    let scratch: ScratchDocker;
    beforeAll(async () => {
      if (lacking.length === 0) scratch = await ScratchDocker.open({ engine: engineName, liveRestore, diskMb: 128 });
    }, 120_000);
    afterAll(() => scratch?.close(), 60_000);

    here(
      'killed, it is unhealthy within 10 s with the reason; what ended or went on meanwhile is told when it is back',
      async ({ expect }) => {
        const { engine } = scratch.driver();
        const health = listen(engine);
        await health.is('healthy', 90_000);
        const long = await scratch.task(shell("trap 'exit 9' TERM; sleep 300 & wait"));
        const short = await scratch.task(shell('sleep 3; exit 3'));
        const speaking = await scratch.task(lines(100, '0.1'));
        for (const of of [long, short, speaking]) await engine.start(of, never);
        await scratch.daemon.kill('SIGKILL');
        expect((await health.is('unhealthy', 10_000)).description).toMatch(
          /^Failed to connect to \w+ daemon: .* is not reached: /,
        );
        expect((await engine.inspect(long.id, never)).state).toBe('running');
        await sleep(4_000);
        await scratch.daemon.start();
        await health.is('healthy', 90_000);
        expect(await engine.wait(short.id, never)).toMatchObject({ exitCode: 3 });
        if (survives) {
          expect(await engine.wait(speaking.id, never)).toMatchObject({ exitCode: 3 });
          expect(await outputOf(speaking)).toBe(numbered(100));
          expect((await engine.inspect(long.id, never)).state).toBe('running');
          await engine.stop(long.id, { timeoutMs: 10_000, killSignal: '' }, never);
          expect(await engine.wait(long.id, never)).toMatchObject({ exitCode: 9 });
        } else {
          // it ends the containers it finds when it starts again
          expect([9, 137]).toContain((await engine.wait(long.id, never)).exitCode);
        }
        for (const of of [long, short, speaking]) await engine.destroy(of.id, { force: true }, never);
        const next = await scratch.task(shell('exit 4'));
        expect((await scratch.run(engine, next)).exit).toMatchObject({ exitCode: 4 });
        health.stop();
      },
    );

    here('frozen, it is unhealthy within 10 s, and loses no exit code', async ({ expect }) => {
      const { engine } = scratch.driver();
      const health = listen(engine);
      await health.is('healthy', 90_000);
      const of = await scratch.task(shell('sleep 6; exit 5'));
      await engine.start(of, never);
      process.kill(scratch.daemon.pid, 'SIGSTOP');
      try {
        expect((await health.is('unhealthy', 10_000)).description).toContain('does not answer GET /_ping within 4 s');
      } finally {
        process.kill(scratch.daemon.pid, 'SIGCONT');
      }
      await health.is('healthy', 90_000);
      expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 5 });
      await engine.destroy(of.id, { force: false }, never);
      health.stop();
    });

    here(
      'answering nonsense, it is unhealthy within 10 s with the reason, and nothing that ends or goes on meanwhile is lost',
      async ({ expect }) => {
        await Promise.all(
          (Object.keys(reasons) as Nonsense[]).map(async (nonsense) => {
            const proxy = await EvilProxy.open(
              scratch.daemon.socket,
              join(scratch.host.scratch.root, `${nonsense}.sock`),
            );
            const { engine } = scratch.driver(endpointOf(proxy.path));
            const health = listen(engine);
            await health.is('healthy', 90_000);
            const long = await scratch.task(shell("trap 'exit 9' TERM; sleep 300 & wait"));
            const short = await scratch.task(shell('sleep 5; exit 3'));
            for (const of of [long, short]) await engine.start(of, never);
            proxy.begin(nonsense);
            await health.is('unhealthy', 10_000, reasons[nonsense]);
            // until the short one has ended while only nonsense is told of it
            await sleep(6_000);
            for (const of of [long, short])
              expect((await engine.inspect(of.id, never)).state, nonsense).toBe('running');
            proxy.end();
            await health.is('healthy', 90_000);
            expect(await engine.wait(short.id, never), nonsense).toMatchObject({ exitCode: 3 });
            expect((await engine.inspect(long.id, never)).state, nonsense).toBe('running');
            await engine.stop(long.id, { timeoutMs: 20_000, killSignal: '' }, never);
            expect(await engine.wait(long.id, never), nonsense).toMatchObject({ exitCode: 9 });
            for (const of of [long, short]) await engine.destroy(of.id, { force: true }, never);
            health.stop();
            await proxy.close();
          }),
        );
      },
    );

    here('an agent that comes back while it is away finds its tasks, and their output', async ({ expect }) => {
      const { engine } = scratch.driver();
      const of = await scratch.task(lines(30, '0.1'));
      const { state } = await engine.start(of, never);
      await engine.close();
      await scratch.daemon.kill('SIGKILL');
      const again = scratch.driver().engine;
      await again.recover(of, stored(state), never);
      expect((await again.inspect(of.id, never)).state).toBe('running');
      await sleep(4_000);
      await scratch.daemon.start();
      expect(await again.wait(of.id, never)).toMatchObject({ exitCode: 3 });
      // what the engine itself kept: one that is killed may lose what it had not written
      expect(numbered(30)).toContain(await outputOf(of));
      await again.destroy(of.id, { force: false }, never);
    });

    here(
      'the log collector outlives the agent, is one process for all tasks, and loses and doubles no line when it is killed',
      async ({ expect }) => {
        const { engine } = scratch.driver();
        const tasks = await Promise.all([1, 2, 3].map(() => scratch.task(lines(60, '0.05'))));
        const states: TaskHandleState[] = [];
        for (const of of tasks) states.push((await engine.start(of, never)).state);
        const [pid, ...others] = await scratch.collectorPids();
        expect(others).toEqual([]);
        await engine.close();
        const again = scratch.driver().engine;
        for (const [at, of] of tasks.entries()) await again.recover(of, stored(states[at]!), never);
        expect(await scratch.collectorPids()).toEqual([pid]);
        process.kill(pid!, 'SIGKILL');
        for (const of of tasks) {
          expect(await again.wait(of.id, never)).toMatchObject({ exitCode: 3 });
          expect(await outputOf(of)).toBe(numbered(60));
          await again.destroy(of.id, { force: false }, never);
        }
        expect((await scratch.collectorPids()).length).toBe(1);
      },
    );

    here('an image and a container that somebody removed: the task goes on, or has ended', async ({ expect }) => {
      const { engine } = scratch.driver();
      const of = await scratch.task(shell('sleep 300'));
      const { state } = await engine.start(of, never);
      const { client } = scratch.daemon;
      const prefix = engineName === 'podman' ? 'localhost/' : '';
      await scratch.daemon.tag(`${prefix}drover-test/busybox:1`, `${prefix}drover-test/kept`, '1');
      const image = encodeURIComponent(`${prefix}drover-test/busybox:1`);
      await client.text('DELETE', `/images/${image}`, { signal: never });
      expect((await engine.inspect(of.id, never)).state).toBe('running');
      await scratch.daemon.tag(`${prefix}drover-test/kept:1`, `${prefix}drover-test/busybox`, '1');
      const path = `/containers/${String(state['containerId'])}`;
      await client.text('DELETE', path, { query: { force: 'true' }, signal: never });
      const exit = await engine.wait(of.id, never);
      expect(exit.exitCode === 137 || exit.unknown === 'container-removed').toBe(true);
      await engine.destroy(of.id, { force: false }, never);
    });

    here(
      'containers out of memory are reported as that, beside a load, and one that was killed is not',
      async ({ expect }) => {
        const { engine } = scratch.driver();
        const resources = withMemory(16);
        const load = Array.from({ length: 6 }, () =>
          spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
        );
        try {
          const ends = Array.from({ length: 4 }, async () => {
            const of = await scratch.task(shell('sleep 1; x=a; while :; do x=$x$x; done'), { resources });
            await engine.start(of, never);
            const exit = await engine.wait(of.id, never);
            await engine.destroy(of.id, { force: false }, never);
            return { exitCode: exit.exitCode, oomKilled: exit.oomKilled };
          });
          expect(await Promise.all(ends)).toEqual(ends.map(() => ({ exitCode: 137, oomKilled: true })));
        } finally {
          for (const child of load) child.kill('SIGKILL');
        }
        const of = await scratch.task(shell('sleep 300'));
        const { state } = await engine.start(of, never);
        const path = `/containers/${String(state['containerId'])}/kill`;
        await scratch.daemon.client.text('POST', path, { query: { signal: 'SIGKILL' }, signal: never });
        expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 137, oomKilled: false });
        await engine.destroy(of.id, { force: false }, never);
      },
    );

    here(
      'on a full disk a start fails with the reason, what runs goes on and tells its end, and room helps',
      async ({ expect }) => {
        const { engine } = scratch.driver();
        const of = await scratch.task(
          shell('trap "rm /full; exit 7" TERM; dd if=/dev/zero of=/full bs=64k 2>/dev/null; sleep 300 & wait'),
          // the disk is memory, and counts as the task's
          { resources: withMemory(256) },
        );
        const { state } = await engine.start(of, never);
        const path = `/containers/${String(state['containerId'])}/json`;
        await expect
          .poll(async () => (await scratch.daemon.diskFreeMb()) < 1, { timeout: 60_000, interval: 200 })
          .toBe(true);
        const other = await scratch.task(shell('exit 0'));
        await expect(engine.start(other, never)).rejects.toThrow(/no space left on device/i);
        await engine.destroy(other.id, { force: true }, never).catch(() => undefined);
        expect((await engine.inspect(of.id, never)).state).toBe('running');
        await expect(scratch.daemon.client.json('GET', path, { signal: never })).resolves.toBeDefined();
        await engine.stop(of.id, { timeoutMs: 20_000, killSignal: '' }, never);
        expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 7 });
        await engine.destroy(of.id, { force: false }, never);
        const next = await scratch.task(shell('exit 4'));
        expect((await scratch.run(engine, next)).exit).toMatchObject({ exitCode: 4 });
      },
    );

    here(
      'one that is absent or answers nonsense from the beginning is undetected and says why, and no start hangs',
      async ({ expect }) => {
        const path = join(scratch.host.scratch.root, 'nonsense.sock');
        const server = createServer((_, response) => response.end('<html>hello</html>'));
        await new Promise<void>((resolve) => server.listen(path, resolve));
        const absent = scratch.driver(endpointOf('/no/such.sock')).engine;
        expect(await firstReport(absent)).toMatchObject({
          health: 'undetected',
          description: expect.stringMatching(
            /at unix:\/\/\/no\/such.sock is not reached: connect ENOENT \/no\/such.sock; nothing listens there: start it, or name .* by plugin "/,
          ),
        });
        const senseless = scratch.driver(endpointOf(path)).engine;
        expect(await firstReport(senseless)).toMatchObject({
          health: 'undetected',
          description: expect.stringContaining('it answers nonsense: "<html>hello</html>"'),
        });
        const of = await scratch.task(shell('true'));
        await expect(senseless.start(of, never)).rejects.toMatchObject({ kind: 'unavailable', recoverable: true });
        server.close();
      },
    );

    const endpointOf = (path: string): Record<string, string> => ({
      [engineName === 'podman' ? 'socket_path' : 'endpoint']: `unix://${path}`,
    });
  },
);

/** What the driver says of each. */
const reasons: Readonly<Record<Nonsense, RegExp>> = {
  page: /answers nonsense: "<html>/,
  'not found': /404|not found/i,
  'wrong shape': /nonsense|no JSON/,
  'half an answer': /does not finish its answer/,
  'no HTTP': /what is no HTTP/,
};
