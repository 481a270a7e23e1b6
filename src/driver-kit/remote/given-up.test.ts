// A host that gives a start up while its plugin goes on with it, as most plugins do: nothing waits for ever, and nobody's output is taken away.
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { cgroupName } from '../../isolation/cgroup/task-cgroup.ts';
import { Fault } from '../../lib/fault.ts';
import { silentLog } from '../../lib/log.ts';
import { type DriverPlugin, definePlugin } from '../driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../scratch-host.ts';
import { type Serving, serveOnSocket } from '../serve/serve.ts';
import { type ExternalDriver, externalDriver } from './external-driver.ts';
import { fifosIn } from './output-collector.ts';

const never = new AbortController().signal;
let host: ScratchHost;
let serving: Serving;
let external: ExternalDriver;

/** What its starts wait for, and what became of them. */
let goOn = (): void => {};
let held: Promise<void>;
let entered = (): void => {};
let inside: Promise<void>;
let came: Promise<string>;

function hold(): void {
  held = new Promise((resolve) => (goOn = resolve));
  inside = new Promise((resolve) => (entered = resolve));
}

/** Those that came through. */
const running = new Set<string>();

/** Its start heeds no signal and opens the task's output as Go does: waiting for a reader. */
const plugin = definePlugin({
  pluginName: 'steady',
  configSchema: {},
  taskSchema: {},
  create: (): EngineDriver => {
    const unasked = async (): Promise<never> => {
      throw new Fault('not_found', 'no such task');
    };
    const begin = async (task: TaskConfig): Promise<string> => {
      entered();
      await held;
      try {
        await (await open(task.log.fifos!.stdout, 'w')).close();
        running.add(task.id);
        return 'began';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? String(error);
      }
    };
    return {
      info: { name: 'steady', version: '1.0.0', filesystem: 'none', networkModes: ['host'], mounts: false },
      async *fingerprint(signal) {
        yield { health: 'healthy', description: 'Healthy', attributes: {} };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
      start: async (task) => {
        came = begin(task);
        const how = await came;
        if (how !== 'began') throw new Fault('unavailable', how);
        return { state: { version: 1 } };
      },
      recover: unasked,
      wait: unasked,
      stop: unasked,
      destroy: async (id, { force }) => {
        if (running.has(id) && !force) throw new Fault('conflict', 'it runs');
        if (!running.delete(id)) throw new Fault('not_found', 'no such task');
      },
      inspect: unasked,
      close: async () => {},
    };
  },
});

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
  serving = await serveOnSocket(plugin as unknown as DriverPlugin, host.deps);
  external = openExternal();
  await external.open();
  expect(external.problem).toBeNull();
});

function openExternal(): ExternalDriver {
  return externalDriver({
    fileName: 'steady',
    command: ['/bin/sh', '-c', `echo '1|2|unix|${serving.socketPath}|grpc|'; exec sleep 60`],
    config: {},
    env: { PATH: '/usr/bin:/bin' },
    directory: join(host.scratch.root, 'plugin'),
    log: silentLog,
    deps: host.deps,
  });
}

afterAll(async () => {
  await external.close();
  await serving.close();
  await host.close();
});

const task = (): Promise<TaskConfig> => host.scratch.task(new Uint8Array());

const outputOf = ({ id }: TaskConfig): string => fifosIn(join(host.deps.stateDirectory, cgroupName(id))).stdout;

/** A task whose start is held up in the plugin, and was given up by its caller. */
async function givenUp(more: Partial<TaskConfig> = {}): Promise<TaskConfig> {
  const of = { ...(await task()), ...more };
  const abort = new AbortController();
  hold();
  const start = external.engine.start(of, abort.signal);
  await inside;
  abort.abort();
  await expect(start).rejects.toThrow();
  return of;
}

it('a start that comes through after it was given up has its output collected until its task is destroyed', async () => {
  const { engine } = external;
  const of = await givenUp();
  goOn();
  expect(await came).toBe('began');
  await engine.destroy(of.id, { force: true }, never);
});

it('a start whose collector ends while it is held up is told so, and does not wait for a reader', async () => {
  const { engine } = external;
  const of = await givenUp();
  // the host that comes next frees what it does not know
  await expect(engine.destroy(of.id, { force: true }, never)).rejects.toMatchObject({ kind: 'not_found' });
  goOn();
  expect(await came).toBe('ENOENT');
});

it('a task whose end its plugin refuses, since it runs, has its output collected on, and the next plugin hears of it', async () => {
  const { engine } = external;
  const of = await task();
  hold();
  goOn();
  await engine.start(of, never);
  const tasks = external.status().tasks;
  await expect(engine.destroy(of.id, { force: false }, never)).rejects.toMatchObject({ kind: 'conflict' });
  expect(external.status().tasks).toBe(tasks);
  // waits for ever, or fails, where nobody reads
  await (await open(outputOf(of), 'w')).close();
  await engine.destroy(of.id, { force: true }, never);
  expect([external.status().tasks, existsSync(outputOf(of))]).toEqual([tasks - 1, false]);
});

it('what is made ready for a start is what it gets, and goes with its task or without a start', async () => {
  const { engine } = external;
  const [of, unstarted] = [await task(), await task()];
  const collector = (each: TaskConfig) => join(host.deps.stateDirectory, each.id.replaceAll('/', '.'), 'shim.pid');
  for (const each of [of, unstarted]) {
    engine.expect?.(each);
    await vi.waitFor(() => expect(existsSync(collector(each))).toBe(true), 10_000);
  }
  const pid = await readFile(collector(of), 'utf8');
  hold();
  goOn();
  await engine.start(of, never);
  expect(await came).toBe('began');
  expect(await readFile(collector(of), 'utf8')).toBe(pid);
  await engine.destroy(of.id, { force: true }, never);
  await expect(engine.destroy(unstarted.id, { force: true }, never)).rejects.toMatchObject({ kind: 'not_found' });
  for (const each of [of, unstarted]) expect(existsSync(collector(each))).toBe(false);
});

it('one start after another of the same id finds its output collected, however the one before ended', async () => {
  const { engine } = external;
  const of = await task();
  hold();
  goOn();
  const all = await Promise.allSettled([1, 2, 3].map(() => engine.start(of, never)));
  expect(all.map(({ status }) => status)).toContain('fulfilled');
  expect(await came).toBe('began');
  await engine.destroy(of.id, { force: true }, never);
  expect(existsSync(join(host.deps.stateDirectory, of.id.replaceAll('/', '.')))).toBe(false);
});

it('a start that comes through after its agent died, and the next one had freed its task, is ended', async () => {
  const { log } = await task();
  // without a collector there is nothing that would fail it
  const of = await givenUp({ log: { ...log, disabled: true } });
  const next = openExternal();
  await next.open();
  await expect(next.engine.destroy(of.id, { force: true }, never)).rejects.toMatchObject({ kind: 'not_found' });
  goOn();
  expect(await came).toBe('began');
  expect(running.has(of.id)).toBe(true);
  await vi.waitFor(() => expect(running.has(of.id)).toBe(false), 20_000);
  await next.close();
});

it('what is made ready for a start goes where the plugin is not there for it', async () => {
  const away = openExternal();
  await away.open();
  const of = await task();
  const directory = join(host.deps.stateDirectory, of.id.replaceAll('/', '.'));
  away.engine.expect?.(of);
  await vi.waitFor(() => expect(existsSync(join(directory, 'shim.pid'))).toBe(true), 10_000);
  await away.close();
  await expect(away.engine.start(of, never)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(existsSync(directory)).toBe(false);
});
