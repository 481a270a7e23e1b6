// An author's engine driver that answers wrongly in every hook, served as a plugin: what the host reads names driver, hook and value.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { option } from '../driver/config-schema.ts';
import type { EngineDriver } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import { defineEngineDriver } from './define-engine-driver.ts';
import type { DriverPlugin } from './driver-plugin.ts';
import { openRemoteDriver } from './remote/remote-driver.ts';
import { openScratchHost, type ScratchHost } from './scratch-host.ts';
import { serveOnSocket } from './serve/serve.ts';

const never = new AbortController().signal;
let host: ScratchHost;
const opened: (() => Promise<void>)[] = [];

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});
afterAll(() => host.close());

async function hosted(hooks: object): Promise<{ engine: EngineDriver; started: () => Promise<string> }> {
  const plugin = defineEngineDriver({
    name: 'odd',
    version: '1.0.0',
    config: {},
    state: { version: 1, fields: { id: option.string({ required: true }) } },
    start: () => ({ state: { id: 'x' } }),
    find: () => true,
    wait: (_, signal) => sleep(60_000, { exitCode: 0 }, { signal, ref: false }),
    stop: () => {},
    remove: () => {},
    limitsMs: { start: 300, find: 300, stop: 300, remove: 300, stats: 300, signal: 300, exec: 300, open: 300 },
    ...hooks,
  });
  const serving = await serveOnSocket(plugin as unknown as DriverPlugin, host.deps);
  opened.push(() => serving.close());
  const engine = await openRemoteDriver({ target: `unix:${serving.socketPath}`, config: {} }, never);
  opened.push(() => engine.close());
  const started = async (): Promise<string> => {
    const task = await host.scratch.task({});
    await engine.start(task, never);
    return task.id;
  };
  return { engine, started };
}

const cyclic: Record<string, unknown> = Object.create(null);
cyclic['self'] = cyclic;

test('a slip in its definition is named', () => {
  const hooks = {
    start: () => ({ state: {} }),
    find: () => true,
    wait: async () => ({ exitCode: 0 }),
    stop: () => {},
    remove: () => {},
  };
  const own = { name: 'odd', version: '1.0.0', config: {}, state: { version: 1, fields: {} }, ...hooks };
  const define = (slip: object) => defineEngineDriver({ ...own, ...slip } as typeof own);
  expect(() => define({ removeUnkown: () => {} })).toThrow(
    /the definition has no "removeUnkown".*Did you mean "removeUnknown"/,
  );
  expect(() => define({ limitsMs: { wait: 5 } })).toThrow(/limitsMs has no "wait", only open, /);
  expect(define({}).pluginName).toBe('odd');
});

describe('start over the wire', () => {
  test.each<[string, () => unknown, RegExp]>([
    ['nothing', () => undefined, /driver odd: start must return a "state", not undefined/],
    [
      'what cannot even be printed',
      () => ({ state: cyclic }),
      /driver odd: start must return a "state" as its fields say/,
    ],
    ['never', () => new Promise(() => {}), /driver odd: start gave no answer within 300 ms/],
    ['by throwing nothing', () => Promise.reject(undefined), /driver odd: start failed: undefined/],
    ['by throwing what cannot be printed', () => Promise.reject(cyclic), /driver odd: start failed: /],
    [
      'by throwing a novel',
      () => Promise.reject(new Error(`begin ${'x'.repeat(10_000_000)}`)),
      /driver odd: start failed: begin x+/,
    ],
    [
      'by throwing other letters',
      () => Promise.reject(new Error('größe ✗ \n two lines')),
      /driver odd: start failed: größe ✗ \n two lines/,
    ],
    ['a fault of its own that is a novel', () => Promise.reject(new Fault('denied', 'y'.repeat(10_000_000))), /^y+/],
    [
      'a state that is one',
      () => ({ state: { id: 'x'.repeat(10_000_000) } }),
      /driver odd: the state that start returned has \d+ bytes/,
    ],
    [
      'a network that is a word',
      () => ({ state: { id: 'x' }, network: 'up' }),
      /driver odd: start must return "network" as .*not "up"/,
    ],
    [
      'ports that are words',
      () => ({ state: { id: 'x' }, network: { ip: '1.2.3.4', portMap: { http: 'many' } } }),
      /driver odd: start must return "network" as /,
    ],
    [
      'a getter that throws',
      () => ({
        get state() {
          throw new Error('mine');
        },
      }),
      /driver odd: start failed: mine|mine/,
    ],
  ])('%s', async (_, start, message) => {
    const { engine } = await hosted({ start });
    const task = await host.scratch.task({});
    const error = await engine.start(task, never).then(
      () => new Error('it was taken'),
      (reason: Error) => reason,
    );
    expect(error.message.slice(0, 400)).toMatch(message);
    expect(error.message.length).toBeLessThan(20_000);
    // and the driver is there for the next one
    await expect(engine.inspect(task.id, never)).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('other hooks over the wire', () => {
  test.each<[string, object, (engine: EngineDriver, id: string) => Promise<unknown>, RegExp]>([
    [
      'stop that hangs',
      { stop: () => new Promise(() => {}) },
      (e, id) => e.stop(id, { timeoutMs: 10, killSignal: '' }, never),
      /driver odd: stop gave no answer within 310 ms/,
    ],
    [
      'stop that does not',
      {},
      (e, id) => e.stop(id, { timeoutMs: 10, killSignal: '' }, never),
      /driver odd: wait after a stop gave no answer/,
    ],
    [
      'remove that throws',
      {
        wait: () => ({ exitCode: 0 }),
        remove: () => {
          throw null;
        },
      },
      async (e, id) => {
        await e.wait(id, never);
        await e.destroy(id, { force: false }, never);
      },
      /driver odd: remove failed: null/,
    ],
    [
      'stats as text',
      { stats: () => 'much' },
      (e, id) => e.stats!(id, never),
      /driver odd: stats must return what was measured.*not "much"/,
    ],
    [
      'stats that overflow',
      { stats: () => ({ memoryBytes: 1e300 }) },
      (e, id) => e.stats!(id, never),
      /driver odd: stats must return/,
    ],
    [
      'signal that hangs',
      { signal: () => new Promise(() => {}) },
      (e, id) => e.signal!(id, 'SIGHUP', never),
      /driver odd: signal gave no answer within 300 ms/,
    ],
  ])('%s', async (_, hooks, call, message) => {
    const { engine, started } = await hosted(hooks);
    const id = await started();
    await expect(call(engine, id)).rejects.toThrow(message);
    await expect(engine.inspect(id, never)).resolves.toMatchObject({ state: expect.stringMatching(/running|exited/) });
  });

  test.each([[1e20], [-5e9], [2 ** 31]])('an end with code %s is no end', async (exitCode) => {
    let asked = 0;
    const { engine, started } = await hosted({ wait: () => (asked++ === 0 ? { exitCode } : { exitCode: 3 }) });
    expect(await engine.wait(await started(), never)).toMatchObject({ exitCode: 3 });
  });

  test('an end whose words are a novel is told', async () => {
    const { engine, started } = await hosted({ wait: () => ({ exitCode: 3, message: 'z'.repeat(10_000_000) }) });
    expect(await engine.wait(await started(), never)).toMatchObject({ exitCode: 3 });
  });

  test('exec that gives a session of nonsense is named, and the task goes on', async () => {
    const session = {
      writeStdin: () => {},
      closeStdin: () => {},
      resize: () => {},
      output: 5,
      exit: Promise.resolve('gone'),
    };
    const { engine, started } = await hosted({ exec: () => session });
    const id = await started();
    const asked = (async () => {
      const open = await engine.exec!(id, { command: ['x'], tty: false }, never);
      for await (const _ of open.output) expect(_).toBeDefined();
      return open.exit;
    })();
    await expect(asked).rejects.toThrow(/driver odd: exec must return a session/);
    expect(await engine.inspect(id, never)).toMatchObject({ state: 'running' });
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['a number', 7],
    ['an event without a task', { message: 5 }],
  ])('events that give %s do not end the plugin', async (_, event) => {
    const { engine, started } = await hosted({
      async *events() {
        yield event;
      },
    });
    const heard = (async () => {
      for await (const each of engine.events!(AbortSignal.timeout(500))) void each;
    })();
    await heard.catch((error: Error) => expect(error.message).toMatch(/driver odd: events must|abort|timeout/i));
    await started();
  });
});
