/** What a plugin has to bear: the protocol's rules for its process, and faults in the middle of its work. */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { EngineDriver, TaskConfig, TaskExit, TaskHandleState } from '../../driver/contract.ts';
import { BasePlugin, SetConfigRequestSchema } from '../../driver/gen/nomad/base_pb.ts';
import { apiVersion } from '../../driver/handshake.ts';
import { isFault, messageOf } from '../../lib/fault.ts';
import { channelOptions, unary } from '../rpc.ts';
import { type CheckBench, type CheckedPlugin, NotGiven } from './check-bench.ts';

export interface FaultCase {
  readonly name: string;
  readonly group: 'process' | 'faults';
  /** Beside the bench: the command line of the plugin. */
  run(bench: CheckBench, command: readonly string[]): Promise<void>;
}

const never = new AbortController().signal;
// hundreds of calls wait on it at once
setMaxListeners(0, never);

/** Whatever came of it, nothing of the task may stay, and a new start of it must work. */
async function gone(bench: CheckBench, plugin: CheckedPlugin, task: TaskConfig): Promise<void> {
  await plugin.engine.destroy(task.id, { force: true }, never).catch((error: unknown) => {
    if (!isFault(error, 'not_found')) throw error;
  });
  const left = await bench.left(task.id);
  assert.deepEqual(left, [], 'processes of the task are still there although it was destroyed');
}

async function worksAgain(bench: CheckBench, plugin: CheckedPlugin): Promise<void> {
  const task = await bench.task(plugin, 'ends', { code: '7' });
  await plugin.engine.start(task, never);
  assert.equal((await plugin.engine.wait(task.id, never)).exitCode, 7, 'the exit code of a task started afterwards');
  await plugin.engine.destroy(task.id, { force: true }, never);
}

const running = (bench: CheckBench, plugin: CheckedPlugin, seconds: number): Promise<TaskConfig> =>
  bench.task(plugin, 'runs', { seconds: String(seconds), ms: String(seconds * 1000) });

async function settled(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'ok',
    (error: unknown) => messageOf(error),
  );
}

/** The engine of a process that takes the place of one that was killed. */
async function replaced(bench: CheckBench, plugin: CheckedPlugin): Promise<CheckedPlugin> {
  await plugin.kill();
  await plugin.external.close();
  return bench.plugin(plugin.directory);
}

interface Hurt {
  /** Which knows the task now. */
  readonly next: CheckedPlugin;
  /** How it said the task is. */
  readonly seen: readonly string[];
  readonly end: Promise<TaskExit>;
}

/** In seconds. */
const lifetimes = [8, 40];

/** Of a task that ends by itself: it is seen running, and then its end. What took longer than the task runs is seen once more, of one that runs longer. */
async function hurtWhileRunning(
  bench: CheckBench,
  hurt: (plugin: CheckedPlugin, task: TaskConfig, state: TaskHandleState) => Promise<Hurt>,
): Promise<void> {
  for (const seconds of lifetimes) {
    const plugin = await bench.plugin();
    const task = await running(bench, plugin, seconds);
    const before = Date.now();
    const { state } = await plugin.engine.start(task, never);
    const { next, seen, end } = await hurt(plugin, task, JSON.parse(JSON.stringify(state)) as TaskHandleState);
    // told below, unless how it was seen is wrong already
    end.catch(() => {});
    const late = Date.now() - before > seconds * 1000 && seconds !== lifetimes.at(-1);
    if (!late) for (const each of seen) assert.equal(each, 'running');
    assert.equal((await end).exitCode, 0);
    await gone(bench, next, task);
    if (!late) return;
  }
}

const processCases: readonly FaultCase[] = [
  {
    name: 'started by hand it says what it is, and ends',
    group: 'process',
    async run(_, command) {
      const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const code = await Promise.race([
        new Promise<number | null>((resolve) => child.on('close', resolve)),
        sleep(15_000, undefined, { ref: false }).then(() => {
          child.kill('SIGKILL');
          throw new Error('it goes on without a host');
        }),
      ]);
      assert.notEqual(code, 0, 'its exit code without a host');
      assert.ok(said.trim() !== '', 'it says nothing');
    },
  },
  {
    name: 'an interrupt at the terminal does not end it',
    group: 'process',
    async run(bench) {
      const plugin = await bench.plugin();
      const pid = plugin.pid();
      process.kill(pid, 'SIGINT');
      await sleep(500);
      const answer = await settled(plugin.engine.inspect('00000000-0000-4000-8000-000000000000/none/0', never));
      assert.notEqual(answer, 'ok');
      assert.equal(plugin.pid(), pid, 'the process that answers after SIGINT');
      process.kill(pid, 0);
    },
  },
  {
    name: 'told to end it ends within two seconds',
    group: 'process',
    async run(bench) {
      const plugin = await bench.plugin();
      const pid = plugin.pid();
      const before = Date.now();
      await plugin.external.close();
      const tookMs = Date.now() - before;
      assert.throws(() => process.kill(pid, 0), 'the process is still there');
      assert.ok(tookMs < 1900, `it had to be killed after ${tookMs} ms`);
    },
  },
  {
    name: 'configured a second time it keeps its tasks',
    group: 'process',
    async run(bench) {
      const plugin = await bench.plugin();
      const task = await running(bench, plugin, 60);
      await plugin.engine.start(task, never);
      if (!/^unix:/.test(plugin.target())) throw new NotGiven('its socket is no plain unix socket');
      const client = new Client(plugin.target(), credentials.createInsecure(), channelOptions);
      try {
        const request = create(SetConfigRequestSchema, { pluginApiVersion: apiVersion });
        await unary(client, BasePlugin.method.setConfig, request, never, new Metadata(), new Date(Date.now() + 30_000));
      } catch (error) {
        // empty options may be refused; what counts is the task
        void error;
      } finally {
        client.close();
      }
      assert.equal((await plugin.engine.inspect(task.id, never)).state, 'running');
      await gone(bench, plugin, task);
    },
  },
];

/** After so many milliseconds of a start something happens. */
const moments = [0, 15, 60, 250];

async function inMidStart(
  bench: CheckBench,
  hurt: (plugin: CheckedPlugin, abort: AbortController) => Promise<CheckedPlugin>,
): Promise<void> {
  for (const ms of moments) {
    const plugin = await bench.plugin();
    const task = await running(bench, plugin, 60);
    const abort = new AbortController();
    const start = settled(plugin.engine.start(task, abort.signal));
    await sleep(ms);
    const next = await hurt(plugin, abort);
    await start;
    try {
      await gone(bench, next, task);
      await worksAgain(bench, next);
    } catch (error) {
      throw new Error(`${ms} ms after the start: ${messageOf(error)}`, { cause: error });
    }
    await bench.clear();
  }
}

const startFaults: readonly FaultCase[] = [
  {
    name: 'killed in the middle of starts it leaves nothing, and the next process works',
    group: 'faults',
    run: (bench) => inMidStart(bench, (plugin) => replaced(bench, plugin)),
  },
  {
    name: 'a host that restarts in the middle of a start can take the task away',
    group: 'faults',
    run: (bench) =>
      inMidStart(bench, async (plugin, abort) => {
        // the old host is gone without a word; the new one finds the same process
        abort.abort();
        return bench.plugin(plugin.directory);
      }),
  },
  {
    name: 'two starts of one id at once give one task',
    group: 'faults',
    async run(bench) {
      const plugin = await bench.plugin();
      const task = await running(bench, plugin, 60);
      const both = await Promise.all([1, 2].map(() => settled(plugin.engine.start(task, never))));
      assert.equal(both.filter((each) => each === 'ok').length, 1, `starts that succeeded: ${both.join(' / ')}`);
      await gone(bench, plugin, task);
    },
  },
  {
    name: 'twenty tasks at once end with their own codes',
    group: 'faults',
    async run(bench) {
      const plugin = await bench.plugin();
      const one = async (code: number): Promise<void> => {
        const task = await bench.task(plugin, 'ends', { code: String(code) });
        await plugin.engine.start(task, never);
        assert.equal((await plugin.engine.wait(task.id, never)).exitCode, code);
        await plugin.engine.destroy(task.id, { force: false }, never);
      };
      await Promise.all(Array.from({ length: 20 }, (_, index) => one(index + 1)));
    },
  },
];

const runFaults: readonly FaultCase[] = [
  {
    name: 'killed while a task runs: the next process finds the task, its end and its code',
    group: 'faults',
    async run(bench) {
      await hurtWhileRunning(bench, async (plugin, task, state) => {
        const next = await replaced(bench, plugin);
        await next.engine.recover(task, state, never);
        const { state: seen } = await next.engine.inspect(task.id, never);
        return { next, seen: [seen], end: next.engine.wait(task.id, never) };
      });
    },
  },
  {
    name: 'killed while a task is stopped: the next process can end it',
    group: 'faults',
    async run(bench) {
      const plugin = await bench.plugin();
      const task = await running(bench, plugin, 60);
      const { state } = await plugin.engine.start(task, never);
      await sleep(200);
      const stop = settled(plugin.engine.stop(task.id, { timeoutMs: 5000, killSignal: '' }, never));
      await sleep(10);
      const next = await replaced(bench, plugin);
      await stop;
      // it may have ended meanwhile: whatever is said of it, nothing of it may stay
      await settled(next.engine.recover(task, state, never));
      await gone(bench, next, task);
    },
  },
  {
    name: 'held up for three seconds in the middle of calls it answers them all, and the task goes on',
    group: 'faults',
    async run(bench) {
      await hurtWhileRunning(bench, async (plugin, task) => {
        const end = plugin.engine.wait(task.id, never);
        process.kill(plugin.pid(), 'SIGSTOP');
        const asked = Promise.all([1, 2, 3].map(() => plugin.engine.inspect(task.id, never)));
        await sleep(3000);
        process.kill(plugin.pid(), 'SIGCONT');
        return { next: plugin, seen: (await asked).map(({ state }) => state), end };
      });
    },
  },
  {
    name: 'calls that are given up in hundreds do no harm',
    group: 'faults',
    async run(bench) {
      const plugin = await bench.plugin();
      const task = await running(bench, plugin, 60);
      await plugin.engine.start(task, never);
      const { engine } = plugin;
      const asks: ((signal: AbortSignal) => Promise<unknown>)[] = [
        (signal) => engine.wait(task.id, signal),
        (signal) => engine.inspect(task.id, signal),
        ...(engine.stats === undefined
          ? []
          : [(signal: AbortSignal) => (engine as Required<EngineDriver>).stats(task.id, signal)]),
      ];
      await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          const abort = new AbortController();
          const asked = settled(asks[index % asks.length]!(abort.signal));
          await sleep(index % 7);
          abort.abort();
          await asked;
        }),
      );
      assert.equal((await engine.inspect(task.id, never)).state, 'running');
      await gone(bench, plugin, task);
    },
  },
];

export const faultCases: readonly FaultCase[] = [...processCases, ...startFaults, ...runFaults];
