// The daemon is killed, frozen and restarted; the agent and the log collector too: no task, no exit code and no line is lost.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskHandleState } from '../../driver/contract.ts';
import { ownerOf } from '../../driver-kit/container-engine/container-start.ts';
import { removeDangling } from '../../driver-kit/container-engine/dangling.ts';
import { lackingForDaemon, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { silentLog } from '../../lib/log.ts';
import { listen, outputOf, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
let scratch: ScratchDocker;

beforeAll(async () => {
  if (lackingForDaemon.length === 0) scratch = await ScratchDocker.open({ liveRestore: true });
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const stored = (state: TaskHandleState): TaskHandleState => JSON.parse(JSON.stringify(state)) as TaskHandleState;

async function collectorPids(): Promise<readonly number[]> {
  const directory = join(scratch.host.deps.stateDirectory, '..');
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return line.includes('log-collector/main.js') && line.includes(directory) ? Number(pid) : 0;
    }),
  );
  return found.filter((pid) => pid > 0);
}

/** `n` numbered lines, a pause after each. */
const lines = (n: number, pause: string): Record<string, unknown> =>
  shell(`i=0; while [ $i -lt ${n} ]; do echo line $i; i=$((i+1)); sleep ${pause}; done; exit 3`);
const numbered = (n: number): string => Array.from({ length: n }, (_, i) => `line ${i}\n`).join('');

describe.skipIf(lackingForDaemon.length > 0)('docker under faults', { timeout: 120_000 }, () => {
  test('a daemon that is killed makes the driver unhealthy within 10 s; its tasks go on and their ends are told when it is back', async () => {
    const { engine } = scratch.driver();
    const health = listen(engine);
    await health.is('healthy', 10_000);
    const long = await scratch.task(shell("trap 'exit 9' TERM; sleep 300 & wait"));
    // one that ends while the daemon is away: what it said meanwhile is the engine's to lose, its code is not
    const short = await scratch.task(shell('sleep 2; exit 3'));
    const speaking = await scratch.task(lines(150, '0.1'));
    await engine.start(speaking, never);
    await engine.start(long, never);
    await engine.start(short, never);
    await scratch.daemon.kill('SIGKILL');
    const { description } = await health.is('unhealthy', 10_000);
    expect(description).toMatch(/^Failed to connect to docker daemon: .* is not reached: /);
    expect((await engine.inspect(long.id, never)).state).toBe('running');
    await sleep(5_000);
    await scratch.daemon.start();
    await health.is('healthy', 10_000);
    expect(await engine.wait(short.id, never)).toMatchObject({ exitCode: 3 });
    expect(await engine.wait(speaking.id, never)).toMatchObject({ exitCode: 3 });
    expect(await outputOf(speaking)).toBe(numbered(150));
    expect((await engine.inspect(long.id, never)).state).toBe('running');
    await engine.stop(long.id, { timeoutMs: 5_000, killSignal: '' }, never);
    expect(await engine.wait(long.id, never)).toMatchObject({ exitCode: 9 });
    for (const of of [long, short, speaking]) await engine.destroy(of.id, { force: true }, never);
    health.stop();
  });

  test('a daemon that hangs makes the driver unhealthy within 10 s, and is healthy again when it goes on', async () => {
    const { engine } = scratch.driver();
    const health = listen(engine);
    await health.is('healthy', 10_000);
    const of = await scratch.task(shell('sleep 8; exit 5'));
    await engine.start(of, never);
    process.kill(scratch.daemon.pid, 'SIGSTOP');
    try {
      expect((await health.is('unhealthy', 10_000)).description).toContain('does not answer GET /_ping within 4 s');
    } finally {
      process.kill(scratch.daemon.pid, 'SIGCONT');
    }
    await health.is('healthy', 10_000);
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 5 });
    await engine.destroy(of.id, { force: false }, never);
    health.stop();
  });

  test('an agent that comes back while the daemon is away does not lose its tasks', async () => {
    const { engine } = scratch.driver();
    const of = await scratch.task(lines(120, '0.1'));
    const { state } = await engine.start(of, never);
    await engine.close();
    await scratch.daemon.kill('SIGKILL');
    const again = scratch.driver().engine;
    await again.recover(of, stored(state), never);
    expect((await again.inspect(of.id, never)).state).toBe('running');
    await scratch.daemon.start();
    expect(await again.wait(of.id, never)).toMatchObject({ exitCode: 3 });
    // what the engine itself kept: a daemon that is killed may lose what it had not written
    const path = `/containers/${String(state['containerId'])}/logs`;
    const kept = await scratch.daemon.client.text('GET', path, { query: { stdout: 'true' }, signal: never });
    expect(kept.replace(/[\0\x01][\0]{3}[\s\S]{4}/g, '')).toBe(await outputOf(of));
    expect(numbered(120)).toContain(await outputOf(of));
    await again.destroy(of.id, { force: false }, never);
  });

  test('the log collector outlives the agent, is one process for all tasks, and loses and doubles no line when it is killed', async () => {
    const { engine } = scratch.driver();
    const tasks = await Promise.all([1, 2, 3].map(() => scratch.task(lines(60, '0.05'))));
    const states = [];
    for (const of of tasks) states.push((await engine.start(of, never)).state);
    const [pid, ...others] = await collectorPids();
    expect(others).toEqual([]);
    await engine.close();
    const again = scratch.driver().engine;
    for (const [at, of] of tasks.entries()) await again.recover(of, stored(states[at]!), never);
    expect(await collectorPids()).toEqual([pid]);
    process.kill(pid!, 'SIGKILL');
    for (const of of tasks) {
      expect(await again.wait(of.id, never)).toMatchObject({ exitCode: 3 });
      expect(await outputOf(of)).toBe(numbered(60));
      await again.destroy(of.id, { force: false }, never);
    }
    expect((await collectorPids()).length).toBe(1);
  });

  test('a container that somebody removed ends its task, with the code the engine told', async () => {
    const { engine } = scratch.driver();
    const of = await scratch.task(shell('sleep 300'));
    const { state } = await engine.start(of, never);
    await sleep(300);
    const path = `/containers/${String(state['containerId'])}`;
    await scratch.daemon.client.text('DELETE', path, { query: { force: 'true' }, signal: never });
    const exit = await engine.wait(of.id, never);
    expect(exit.exitCode === 137 || exit.unknown === 'container-removed').toBe(true);
    await engine.destroy(of.id, { force: false }, never);
  });

  test('a container out of memory is reported as that', async () => {
    const { engine } = scratch.driver();
    const resources = { cpuShares: 100, cpusetCpus: '', memoryMb: 16, memoryMaxMb: 0, percentTicks: 0.1, ports: [] };
    const of = await scratch.task(shell('x=a; while :; do x=$x$x; done'), { resources });
    await engine.start(of, never);
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 137, oomKilled: true });
    await engine.destroy(of.id, { force: false }, never);
  });

  test('an image removed under a task hurts nobody; one that no task uses is removed after the delay, not before', async () => {
    const config = { gc: [{ image: true, image_delay: '1s' }] };
    const { engine } = scratch.driver(config);
    const { client } = scratch.daemon;
    const tag = { repo: 'drover-test/other', tag: '1' };
    await client.text('POST', `/images/${encodeURIComponent(scratchImage)}/tag`, { query: tag, signal: never });
    const there = () =>
      client.json('GET', '/images/drover-test%2Fother:1/json', { signal: never }).then(
        () => true,
        () => false,
      );
    const [one, two] = [
      await scratch.task(shell('sleep 300', { image: 'drover-test/other:1' })),
      await scratch.task(shell('sleep 300', { image: 'drover-test/other:1' })),
    ];
    await engine.start(one, never);
    await engine.start(two, never);
    await engine.destroy(one.id, { force: true }, never);
    await sleep(1_600);
    expect(await there()).toBe(true);
    await client.text('DELETE', '/images/drover-test%2Fother:1', { query: { force: 'true' }, signal: never });
    expect((await engine.inspect(two.id, never)).state).toBe('running');
    await client.text('POST', `/images/${encodeURIComponent(scratchImage)}/tag`, { query: tag, signal: never });
    await engine.destroy(two.id, { force: true }, never);
    await sleep(2_000);
    expect(await there()).toBe(false);
    const kept = scratch.driver({ gc: [{ image: false, container: false }] }).engine;
    const last = await scratch.task(shell('true'));
    await kept.start(last, never);
    await kept.wait(last.id, never);
    await kept.destroy(last.id, { force: false }, never);
    await client.text('DELETE', `/containers/main-${last.allocId}`, { signal: never });
  });

  test('a container of a start that nobody knows is removed after its grace; what is known or not ours stays', async () => {
    const { engine } = scratch.driver();
    const lost = await scratch.task(shell('sleep 300'));
    const known = await scratch.task(shell('sleep 300'));
    await engine.start(lost, never);
    await engine.start(known, never);
    const { client } = scratch.daemon;
    const body = { Image: scratchImage, Cmd: ['sleep', '300'], Labels: { 'com.hashicorp.nomad.alloc_id': 'x' } };
    await client.json('POST', '/containers/create', { query: { name: 'foreign' }, body, signal: never });
    const names = async () =>
      JSON.stringify(await client.json('GET', '/containers/json', { query: { all: 'true' }, signal: never }));
    const rounds = async (rules: { readonly graceMs: number; readonly dryRun: boolean }) => {
      const stop = new AbortController();
      const looking = removeDangling(
        client,
        ownerOf(scratch.host.deps),
        { periodMs: 100, ...rules },
        (id) => id === known.id,
        silentLog,
        stop.signal,
      );
      await sleep(1_500);
      stop.abort();
      await looking;
    };
    await rounds({ graceMs: 60_000, dryRun: false });
    await rounds({ graceMs: 0, dryRun: true });
    expect(await names()).toContain(lost.allocId);
    await rounds({ graceMs: 0, dryRun: false });
    const left = await names();
    expect(left).not.toContain(lost.allocId);
    expect(left).toContain(known.allocId);
    expect(left).toContain('foreign');
    await client.text('DELETE', '/containers/foreign', { query: { force: 'true' }, signal: never });
    for (const of of [lost, known]) await engine.destroy(of.id, { force: true }, never);
  });

  test('without a daemon the driver is undetected, with one that answers nonsense too, and each says why', async () => {
    const { createServer } = await import('node:http');
    const path = join(scratch.host.scratch.root, 'nonsense.sock');
    const server = createServer((_, response) => response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const first = async (endpoint: string) => {
      for await (const report of scratch.driver({ endpoint }).engine.fingerprint(never)) return report;
      throw new Error('no report');
    };
    expect(await first('unix:///no/such.sock')).toMatchObject({
      health: 'undetected',
      description: expect.stringContaining('docker at unix:///no/such.sock is not reached'),
    });
    expect(await first(`unix://${path}`)).toMatchObject({
      health: 'undetected',
      description: expect.stringContaining('it answers nonsense: "<html>hello</html>"'),
    });
    const of = await scratch.task(shell('true'));
    await expect(scratch.driver({ endpoint: `unix://${path}` }).engine.start(of, never)).rejects.toMatchObject({
      kind: 'unavailable',
      recoverable: true,
    });
    server.close();
  });
});
