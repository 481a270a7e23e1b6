// An engine of a few lines (detached shells that write their exit code to a file) behind the hooks of an engine driver.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { option } from '../driver/config-schema.ts';
import { Fault } from '../lib/fault.ts';
import { commandSuite } from './command-suite.ts';
import { conformanceCases } from './conformance.ts';
import { defineEngineDriver } from './define-engine-driver.ts';
import { openDriver } from './driver-plugin.ts';
import { startRefusal } from './rehearsal-kit.ts';
import { openScratchHost, type ScratchHost } from './scratch-host.ts';
import { openServed, ways } from './served-driver.ts';

const never = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'drover-engine-'));
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
});

afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});

const alive = (pid: number): boolean => {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
};

const signalGroup = (pid: number, name: string): void => {
  try {
    process.kill(-pid, name as NodeJS.Signals);
  } catch {
    // it has ended
  }
};

const record = (id: string): string => join(folder, id.replaceAll('/', '.'));

const shells = defineEngineDriver({
  name: 'shells',
  version: '2.1.0',
  config: { command: option.string({ required: true }), args: option.list(option.string()) },
  state: {
    version: 2,
    fields: { pid: option.number({ required: true }), record: option.string({ required: true }) },
    migrations: { 1: ({ pid, id }) => ({ pid, record: record(String(id)) }) },
  },
  open: () => ({ folder }),
  start(_engine, task) {
    if (!existsSync(task.config.command)) throw new Fault('invalid', `there is no ${task.config.command}`);
    const path = record(task.id);
    const output = openSync(join(task.directories.logs, `${task.name}.stdout.0`), 'a');
    const script = '"$@"; echo $? > "$0.new"; mv "$0.new" "$0"';
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        `trap "" INT TERM; ${script.replace('"$@"', '(trap - INT TERM; exec "$@")')}`,
        path,
        task.config.command,
        ...task.config.args,
      ],
      {
        detached: true,
        stdio: ['ignore', output, 'ignore'],
      },
    );
    child.unref();
    return { state: { pid: child.pid ?? 0, record: path } };
  },
  find: ({ state }) => existsSync(state.record) || alive(state.pid),
  async wait({ state }, signal) {
    while (!existsSync(state.record)) {
      if (!alive(state.pid)) return { signal: 9 };
      await sleep(20, undefined, { signal });
    }
    return { exitCode: Number(readFileSync(state.record, 'utf8')) };
  },
  async stop({ state }, { timeoutMs, killSignal }, signal) {
    signalGroup(state.pid, killSignal);
    const until = Date.now() + timeoutMs;
    while (Date.now() < until && alive(state.pid)) await sleep(20, undefined, { signal });
    signalGroup(state.pid, 'SIGKILL');
  },
  remove: ({ state }) => rmSync(state.record, { force: true }),
  stats: () => ({ memoryBytes: 4096 }),
});

describe('an engine driver of a few hooks does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
    each.run(commandSuite(host.scratch, () => openDriver(shells, {}, host.deps))),
  );
});

async function engineOf(hooks: Record<string, unknown>) {
  const plugin = defineEngineDriver({
    name: 'odd',
    version: '1.0.0',
    config: {},
    state: {
      version: 3,
      fields: { id: option.string({ required: true }) },
      migrations: { 2: ({ name }) => ({ id: name as string }) },
    },
    start: () => ({ state: { id: 'x' } }),
    find: () => true,
    wait: (_, signal) => sleep(60_000, { exitCode: 0 }, { signal, ref: false }),
    stop: () => {},
    remove: () => {},
    ...(hooks as object),
  });
  const { engine } = openDriver(plugin, {}, host.deps);
  return { engine, task: await host.scratch.task({}) };
}

describe('the state of a task', () => {
  test.each([
    [undefined, /start must return a "state", not undefined/],
    [{}, /must return a "state" as its fields say, not undefined/],
    [{ state: {} }, /"id" is required/],
    [{ state: { id: 'x', ids: 'y' } }, /No argument or block type is named "ids".*Did you mean "id"/],
    [{ state: { id: 'x'.repeat(70_000) } }, /has \d+ bytes \(at most 65536\)/],
  ])('is refused where it is not what its fields say: %#', async (given, message) => {
    const { engine, task } = await engineOf({ start: () => given });
    await expect(engine.start(task, never)).rejects.toThrow(message);
    await expect(engine.inspect(task.id, never)).rejects.toMatchObject({ kind: 'not_found' });
  });

  test('of an older version is brought up to date, of a newer one or without a way is lost', async () => {
    let seen: unknown;
    const find = ({ state }: { state: unknown }) => {
      seen = state;
      return true;
    };
    const { engine, task } = await engineOf({ find });
    const { state } = await engine.recover(task, { version: 2, fields: { name: 'old' } }, never);
    expect(seen).toEqual({ id: 'old' });
    expect(state).toEqual({ version: 3, fields: { id: 'old' } });
    await engine.close();
    for (const [stored, message] of [
      [{ version: 1, fields: { name: 'old' } }, /no migration from 1 to 2/],
      [{ version: 4, fields: { id: 'x' } }, /written by a newer driver/],
      [{ version: 3, fields: { id: 7, x: 1 } }, /is not what version 3 says/],
    ] as const) {
      const other = await engineOf({});
      await expect(other.engine.recover(other.task, stored, never)).rejects.toMatchObject({
        kind: 'not_found',
        message: expect.stringMatching(message),
      });
    }
  });

  test('that the engine does not know any more is a lost task', async () => {
    const { engine, task } = await engineOf({ find: () => false });
    await expect(engine.recover(task, { version: 3, fields: { id: 'x' } }, never)).rejects.toMatchObject({
      kind: 'not_found',
    });
  });
});

describe('a hook', () => {
  test('that gives no answer is waited for no longer than its limit, and its late task is taken away again', async () => {
    const calls: string[] = [];
    const { engine, task } = await engineOf({
      limitsMs: { start: 50 },
      start: async (_: unknown, __: unknown, signal: AbortSignal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return { state: { id: 'late' } };
      },
      stop: ({ state }: { state: { id: string } }) => void calls.push(`stop ${state.id}`),
      remove: ({ state }: { state: { id: string } }) => void calls.push(`remove ${state.id}`),
    });
    await expect(engine.start(task, never)).rejects.toMatchObject({
      message: 'driver odd: start gave no answer within 50 ms',
      recoverable: true,
    });
    await expect.poll(() => calls).toEqual(['stop late', 'remove late']);
  });

  test('that throws is named with its driver, and its own words stay where it chose them', async () => {
    const thrown = await engineOf({ start: () => Promise.reject(new TypeError("reading 'x' of undefined")) });
    await expect(thrown.engine.start(thrown.task, never)).rejects.toThrow(
      "driver odd: start failed: reading 'x' of undefined",
    );
    const chosen = await engineOf({ start: () => Promise.reject(new Fault('denied', 'not on this node')) });
    await expect(chosen.engine.start(chosen.task, never)).rejects.toMatchObject({
      kind: 'denied',
      message: 'not on this node',
    });
  });

  test.each([
    ['stats', 5, /stats must return what was measured/],
    ['stats', { memory: 5 }, /must return only cpuPercent,.*not \{"memory":5\}/],
    ['stats', { memoryBytes: Number.NaN }, /memoryBytes is none/],
    ['exec', {}, /exec must return a session/],
  ])('%s that returns nonsense is named: %j', async (hook, given, message) => {
    const { engine, task } = await engineOf({ [hook]: () => given });
    await engine.start(task, never);
    const asked =
      hook === 'stats' ? engine.stats!(task.id, never) : engine.exec!(task.id, { command: ['x'], tty: false }, never);
    await expect(asked).rejects.toThrow(message);
  });

  test('that cannot tell how a task ended is asked again: no end is invented', async () => {
    let asked = 0;
    const { engine, task } = await engineOf({
      wait: async () => {
        asked += 1;
        if (asked === 1) throw new Error('connection lost');
        return asked === 2 ? { exit: 3 } : { exitCode: 3 };
      },
    });
    await engine.start(task, never);
    expect(await engine.wait(task.id, never)).toMatchObject({ exitCode: 3 });
    expect(asked).toBe(3);
  });

  test('that is left out is a capability the driver does not have', async () => {
    const { engine } = await engineOf({});
    expect([engine.stats, engine.signal, engine.exec, engine.events]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('open is tried again after it failed, and its failure is the reason of an unhealthy driver', async () => {
    let tries = 0;
    const open = () => {
      tries += 1;
      if (tries === 1) throw new Error('connect ECONNREFUSED /run/engine.sock');
      return {};
    };
    const { engine, task } = await engineOf({ open });
    for await (const report of engine.fingerprint(never)) {
      expect(report).toMatchObject({
        health: 'unhealthy',
        description: 'driver odd: open failed: connect ECONNREFUSED /run/engine.sock',
      });
      break;
    }
    await engine.start(task, never);
    expect(tries).toBe(2);
  });
});

test('what a start left whose state nobody has is freed by its id, and stays unknown', async () => {
  const freed: string[] = [];
  const { engine, task } = await engineOf({ removeUnknown: (_: unknown, id: string) => void freed.push(id) });
  await expect(engine.destroy(task.id, { force: true }, never)).rejects.toMatchObject({ kind: 'not_found' });
  expect(freed).toEqual([task.id]);
});

describe.each(ways)('what is known before a start, %s:', (way) => {
  const refusing = (hooks: object) =>
    defineEngineDriver({
      name: 'choosy',
      version: '1.0.0',
      config: { image: option.string({ required: true }) },
      state: { version: 1, fields: {} },
      start: () => ({ state: {} }),
      find: () => true,
      wait: async () => ({ exitCode: 0 }),
      stop: () => {},
      remove: () => {},
      ...hooks,
    });

  test.for([
    [
      'what its author checks, by asking the engine',
      { open: () => new Set(['a']), check: (has: Set<string>, { config }: never) => lacks(has, config) },
      'there is no image b',
    ],
    [
      'an engine that is not there',
      { open: () => Promise.reject(new Error('no socket')) },
      'driver choosy: open failed: no socket',
    ],
    ['nothing, where nobody checks', {}, 'it was started'],
  ] as const)('%s', async ([, hooks, expected]) => {
    const { engine } = await (way === 'in process' ? openDriver : openServed)(refusing(hooks), {}, host.deps);
    expect(await startRefusal(engine, await host.scratch.task({ image: 'b' }))).toBe(expected);
    await engine.close();
  });
});

function lacks(has: Set<string>, { image }: { readonly image: string }): void {
  if (!has.has(image)) throw new Fault('not_found', `there is no image ${image}`);
}
