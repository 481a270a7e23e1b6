import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { option } from '../driver/config-schema.ts';
import type { EngineDriver } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import { commandSuite } from './command-suite.ts';
import { conformanceCases } from './conformance.ts';
import { type Command, defineDriver } from './define-driver.ts';
import { type DriverPlugin, definePlugin, openDriver } from './driver-plugin.ts';
import { mayCome } from './rehearsal.ts';
import { startRefusal } from './rehearsal-kit.ts';
import { openScratchHost, type ScratchHost } from './scratch-host.ts';
import { openServed, ways } from './served-driver.ts';

const never = new AbortController().signal;
let host: ScratchHost;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
});

afterAll(() => host.close());

const plain = defineDriver({
  name: 'plain',
  version: '1.0.0',
  config: { command: option.string({ required: true }), args: option.list(option.string()) },
  start: ({ config }) => ({ command: config.command, args: config.args }),
});

describe('a driver of a few lines does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
    each.run(commandSuite(host.scratch, () => openDriver(plain, {}, host.deps))),
  );
});

const odd = { name: 'odd', version: '1.0.0', config: {} };

async function started(start: () => unknown): Promise<unknown> {
  const driver = defineDriver({ ...odd, start: start as () => Command });
  const { engine } = openDriver(driver, {}, host.deps);
  return engine.start(await host.scratch.task({}), never);
}

test.each([
  [undefined, /must return what to run, not undefined/],
  [{}, /must return a "command"/],
  [{ command: 'x', args: 'y' }, /"args" as a list of texts, not "y"/],
  [{ command: 'x', args: [1] }, /"args" as a list/],
  [{ command: 'x', env: { A: 1 } }, /"env" as texts/],
  [{ command: 'x', env: ['A=1'] }, /"env" as texts by name, not \["A=1"\]/],
  [{ command: 'x', workDir: 5 }, /"workDir" as a text, not 5/],
  [{ command: 'x', workdir: '/' }, /what start returns has no "workdir", only .*Did you mean "workDir"/],
])('what its author returns wrongly is named: %j', async (given, message) => {
  await expect(started(() => given)).rejects.toThrow(message);
});

test.each([
  // read by nobody, its tasks would run at the default rung
  [{ isolaton: 'sandbox' }, /driver odd: the definition has no "isolaton", only .*Did you mean "isolation"\?/],
  [{ isolation: 'sandbx' }, /driver odd: isolation is one of none, process, sandbox, .*, not "sandbx"/],
  [{ fingerPrint: () => ({}) }, /the definition has no "fingerPrint".*Did you mean "fingerprint"/],
  [{ limitsMs: { stat: 5 } }, /limitsMs has no "stat", only start, fingerprint, check\..*Did you mean "start"/],
])('a slip in its definition is named: %j', (slip, message) => {
  const own = { ...odd, start: () => ({ command: 'true' }) };
  expect(() => defineDriver({ ...own, ...(slip as object) })).toThrow(message);
});

test('what its author throws fails the start, and may be tried again where it says so', async () => {
  const busy = new Fault('unavailable', 'busy', { recoverable: true });
  await expect(
    started(() => {
      throw busy;
    }),
  ).rejects.toMatchObject({ message: 'busy', recoverable: true });
});

test('a look that fails makes it unhealthy, with the reason', async () => {
  const driver = defineDriver({
    name: 'sick',
    version: '1.0.0',
    config: {},
    fingerprint: () => Promise.reject(new Error('no engine')),
    start: () => ({ command: 'x' }),
  });
  for await (const report of openDriver(driver, {}, host.deps).engine.fingerprint(never)) {
    expect(report).toMatchObject({ health: 'unhealthy', description: 'no engine' });
    break;
  }
});

test('a name or version that hosts would refuse is refused at once', () => {
  const define = (name: string, version: string) =>
    defineDriver({ name, version, config: {}, start: () => ({ command: 'x' }) });
  expect(() => define('My Driver', '1.0.0')).toThrow(/small letters/);
  expect(() => define('mine', 'one')).toThrow(/no semantic version/);
});

test('an operator is told which plugin refuses what: a wrong type, and what the driver itself finds wrong', () => {
  const picky = definePlugin({
    pluginName: 'picky',
    configSchema: { delay: option.string() },
    taskSchema: {},
    create: () => {
      throw new Error('delay: "soon" is no duration');
    },
  });
  expect(() => openDriver(picky, { delay: [] }, host.deps)).toThrow(/^plugin "picky": .*delay/);
  expect(() => openDriver(picky, { delay: 'soon' }, host.deps)).toThrow('plugin "picky": delay: "soon" is no duration');
});

describe.each(ways)('what is known before a start, %s:', (way) => {
  const shells = ['/bin/sh'];
  let made = 0;
  const picky = defineDriver({
    name: 'picky',
    version: '1.0.0',
    config: { shell: option.string({ required: true }), script: option.string({ default: '' }) },
    options: { only: option.list(option.string(), { default: shells }) },
    check(task, { only }) {
      const { shell, script } = task.config;
      if (!only.includes(shell)) throw new Fault('denied', `the shell ${shell} is not allowed here`);
      if (script !== '' && !existsSync(join(task.directories.task, script)) && !mayCome(task, script))
        throw new Fault('invalid', `there is no ${script}`);
    },
    start: ({ config }) => {
      made++;
      return { command: config.shell, args: ['-c', 'exit 3'] };
    },
  });

  const opened = async (plugin: DriverPlugin, use: (engine: EngineDriver) => Promise<void>): Promise<void> => {
    const { engine } = await (way === 'in process' ? openDriver : openServed)(plugin, {}, host.deps);
    await use(engine).finally(() => engine.close());
  };

  test('what its author checks is told, and refuses the start in the same words', () =>
    opened(picky, async (engine) => {
      const task = (config: object, more = {}) => host.scratch.task({ script: '', shell: '/bin/sh', ...config }, more);
      const refusal = await startRefusal(engine, await task({ shell: '/bin/dash' }));
      expect(refusal).toBe('the shell /bin/dash is not allowed here');
      expect(await startRefusal(engine, await task({ script: 'run.sh' }))).toBe('there is no run.sh');
      expect(await startRefusal(engine, await task({ script: 'local/run.sh' }), false)).toBe(
        'there is no local/run.sh',
      );
      expect(made).toBe(0);
      expect(await startRefusal(engine, await task({}))).toBe('it was started');
      expect(made).toBe(1);
      made = 0;
    }));

  test('what the kit refuses is told without its author', () =>
    opened(plain, async (engine) => {
      const task = (more: object) => host.scratch.task({ command: '/bin/true', args: [] }, more);
      expect(await startRefusal(engine, await task({ user: 'no-such-user' }))).toContain(
        'failed to identify user "no-such-user"',
      );
      expect(await startRefusal(engine, await task({}))).toBe('it was started');
    }));

  test('a check that answers in place of refusing is named', () =>
    opened(
      defineDriver({ ...odd, check: (() => 'no') as unknown as () => void, start: () => ({ command: 'true' }) }),
      async (engine) => {
        expect(await startRefusal(engine, await host.scratch.task({}))).toBe(
          'driver odd: check must return nothing: it throws what it refuses, not "no"',
        );
      },
    ));

  test('a floor above its isolation is told', async () => {
    const { engine } = openDriver(plain, {}, host.deps);
    const of = await host.scratch.task({ command: '/bin/true', args: [] }, { isolationFloor: 'vm' });
    expect(await startRefusal(engine, of)).toContain('isolation floor "vm" is not reached');
    await engine.close();
  });
});
