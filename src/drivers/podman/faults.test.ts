// Podman's service, and docker without live-restore, on a small disk: killed, frozen, away, full; no task and no exit code is lost.
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskHandleState } from '../../driver/contract.ts';
import { lackingForDaemon, lackingForPodman } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { listen, ScratchDocker, shell } from '../docker/scratch-docker.ts';

const never = new AbortController().signal;
const stored = (state: TaskHandleState): TaskHandleState => JSON.parse(JSON.stringify(state)) as TaskHandleState;

const engines = [
  // it ends the containers it finds when it starts again: each one's end is told
  ['podman', lackingForPodman, true],
  ['docker', lackingForDaemon, false],
] as const;

describe.each(engines)('%s under faults', { timeout: 180_000 }, (engineName, lacking, survives) => {
  const here = test.skipIf(lacking.length > 0);
  let scratch: ScratchDocker;
  beforeAll(async () => {
    if (lacking.length === 0) scratch = await ScratchDocker.open({ engine: engineName, diskMb: 64 });
  }, 120_000);
  afterAll(() => scratch?.close(), 60_000);

  here(
    'killed, it is unhealthy within 10 s with the reason; what ended or went on meanwhile is told when it is back',
    async () => {
      const { engine } = scratch.driver();
      const health = listen(engine);
      await health.is('healthy', 90_000);
      const long = await scratch.task(shell("trap 'exit 9' TERM; sleep 300 & wait"));
      const short = await scratch.task(shell('sleep 3; exit 3'));
      await engine.start(long, never);
      await engine.start(short, never);
      await scratch.daemon.kill('SIGKILL');
      expect((await health.is('unhealthy', 10_000)).description).toMatch(/is not reached: /);
      expect((await engine.inspect(long.id, never)).state).toBe('running');
      await sleep(4_000);
      await scratch.daemon.start();
      await health.is('healthy', 90_000);
      expect(await engine.wait(short.id, never)).toMatchObject({ exitCode: 3 });
      if (survives) {
        expect((await engine.inspect(long.id, never)).state).toBe('running');
        await engine.stop(long.id, { timeoutMs: 10_000, killSignal: '' }, never);
        expect(await engine.wait(long.id, never)).toMatchObject({ exitCode: 9 });
      } else {
        expect([9, 137]).toContain((await engine.wait(long.id, never)).exitCode);
      }
      for (const of of [long, short]) await engine.destroy(of.id, { force: true }, never);
      const next = await scratch.task(shell('exit 4'));
      expect((await scratch.run(engine, next)).exit).toMatchObject({ exitCode: 4 });
      health.stop();
    },
  );

  here('frozen, it is unhealthy within 10 s, and loses no exit code', async () => {
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

  here('an agent that comes back while it is away finds its tasks', async () => {
    const { engine } = scratch.driver();
    const of = await scratch.task(shell('sleep 3; exit 6'));
    const { state } = await engine.start(of, never);
    await engine.close();
    await scratch.daemon.kill('SIGKILL');
    const again = scratch.driver().engine;
    await again.recover(of, stored(state), never);
    expect((await again.inspect(of.id, never)).state).toBe('running');
    await sleep(4_000);
    await scratch.daemon.start();
    expect(await again.wait(of.id, never)).toMatchObject({ exitCode: 6 });
    await again.destroy(of.id, { force: false }, never);
  });

  here('an image and a container that somebody removed: the task goes on, or has ended', async () => {
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
    'on a full disk a start fails with the reason, what runs goes on and tells its end, and room helps',
    async () => {
      const { engine } = scratch.driver();
      const of = await scratch.task(
        shell('trap "rm /full; exit 7" TERM; dd if=/dev/zero of=/full bs=64k 2>/dev/null; sleep 300 & wait'),
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

  here('one that is absent or answers nonsense is undetected and says why', async () => {
    const path = join(scratch.host.scratch.root, `${engineName}-nonsense.sock`);
    const server = createServer((_, response) => response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const option = engineName === 'podman' ? 'socket_path' : 'endpoint';
    const first = async (endpoint: string) => {
      for await (const report of scratch.driver({ [option]: endpoint }).engine.fingerprint(never)) return report;
      throw new Error('no report');
    };
    expect(await first('unix:///no/such.sock')).toMatchObject({
      health: 'undetected',
      description: expect.stringContaining(`${engineName} at unix:///no/such.sock is not reached`),
    });
    expect(await first(`unix://${path}`)).toMatchObject({
      health: 'undetected',
      description: expect.stringContaining('it answers nonsense: "<html>hello</html>"'),
    });
    server.close();
  });
});
