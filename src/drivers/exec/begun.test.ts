import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskConfig } from '../../driver/contract.ts';
import { type DriverDeps, type DriverPlugin, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { rawExec } from '../raw-exec/index.ts';
import { exec } from './index.ts';

/** An agent that is killed between its driver's start and the client's storing of it: the next one asks by the id alone. */

const never = new AbortController().signal;
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
});
afterAll(() => host.close());

describe.each([
  ['exec', exec as unknown as DriverPlugin, {}],
  ['raw_exec', rawExec as unknown as DriverPlugin, { enabled: true }],
])('a start by %s that its client did not hear the end of', (_name, plugin, config) => {
  const open = (deps: DriverDeps = host.deps) => openDriver(plugin, config, deps);
  const script = (text: string): Promise<TaskConfig> => host.task(open(), { command: '/bin/sh', args: ['-c', text] });
  /** Every start appends a line. */
  const counted = 'echo ran >> $NOMAD_RUNS; ';

  async function task(then: string): Promise<{ readonly task: TaskConfig; readonly runs: () => string }> {
    const made = await script(counted + then);
    const file = join(made.directories.local, 'runs');
    const inside = plugin.pluginName === 'exec' ? '/local/runs' : file;
    return {
      task: { ...made, env: { ...made.env, NOMAD_RUNS: inside } },
      runs: () => (existsSync(file) ? readFileSync(file, 'utf8') : ''),
    };
  }

  test('is found running where the command was let go, as the very same process', async () => {
    const { task: of, runs } = await task('exec sleep 60');
    const first = open().engine;
    const started = await first.start(of, never);
    while (runs() === '') await new Promise((resolve) => setTimeout(resolve, 5));
    await first.close();
    const second = open().engine;
    const found = await second.recoverStart?.(of, never);
    expect(found?.state).toEqual(started.state);
    expect(found?.isolation).toEqual(started.isolation);
    expect(await second.inspect(of.id, never)).toMatchObject({ state: 'running' });
    await second.stop(of.id, { timeoutMs: 0, killSignal: 'SIGKILL' }, never);
    await second.destroy(of.id, { force: false }, never);
    expect(runs()).toBe('ran\n');
  });

  test('is found ended, with its code, where it was short', async () => {
    const { task: of } = await task('exit 7');
    const first = open().engine;
    await first.start(of, never);
    await first.wait(of.id, never);
    await first.close();
    const second = open().engine;
    await second.recoverStart?.(of, never);
    expect(await second.wait(of.id, never)).toMatchObject({ exitCode: 7 });
    await second.destroy(of.id, { force: false }, never);
  });

  test('is none where nothing was begun', async () => {
    const { task: of } = await task('true');
    expect(await open().engine.recoverStart?.(of, never)).toBeNull();
  });
});

test('a command that is still held was not begun, and is then destroyed', async () => {
  const { supervisor } = host.deps;
  const stuck: DriverDeps = {
    ...host.deps,
    supervisor: {
      ...supervisor,
      kind: supervisor.kind,
      start: async (record) => {
        const shim = await supervisor.start(record);
        const report = { go: () => new Promise<void>(() => undefined) };
        return new Proxy(shim, { get: (of, name) => (name === 'go' ? report.go : bound(of, name)) });
      },
    },
  };
  const of = await host.task(openDriver(exec, {}, stuck), { command: '/bin/sleep', args: ['60'] });
  void openDriver(exec, {}, stuck).engine.start(of, never);
  const next = openDriver(exec, {}, host.deps).engine;
  const directory = join(host.deps.stateDirectory, of.id.replaceAll('/', '.'));
  const noted = (): boolean => {
    try {
      return readFileSync(join(directory, 'state.json'), 'utf8') !== '';
    } catch {
      return false;
    }
  };
  while (!noted()) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await next.recoverStart?.(of, never)).toBeNull();
  await next.destroy(of.id, { force: true }, never);
  expect(await next.recoverStart?.(of, never)).toBeNull();
});

function bound(of: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(of, name, of);
  return typeof value === 'function' ? value.bind(of) : value;
}
