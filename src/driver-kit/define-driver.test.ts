import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { option } from '../driver/config-schema.ts';
import { Fault } from '../lib/fault.ts';
import { commandSuite } from './command-suite.ts';
import { conformanceCases } from './conformance.ts';
import { type Command, defineDriver } from './define-driver.ts';
import { definePlugin, openDriver } from './driver-plugin.ts';
import { openScratchHost, type ScratchHost } from './scratch-host.ts';

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

async function started(start: () => unknown): Promise<unknown> {
  const driver = defineDriver({ name: 'odd', version: '1.0.0', config: {}, start: start as () => Command });
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
  [{ limitsMs: { stat: 5 } }, /limitsMs has no "stat", only start, fingerprint\..*Did you mean "start"/],
])('a slip in its definition is named: %j', (slip, message) => {
  const own = { name: 'odd', version: '1.0.0', config: {}, start: () => ({ command: 'true' }) };
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
