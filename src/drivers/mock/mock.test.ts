import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { type DriverDeps, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import type { Scratch } from '../../driver-kit/scratch-task.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { mockDriver } from './index.ts';

const never = new AbortController().signal;
let host: ScratchHost;
let scratch: Scratch;
let deps: DriverDeps;

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
  ({ scratch, deps } = host);
});

afterAll(() => host.close());

async function task(config: Record<string, unknown>) {
  const decoded = openDriver(mockDriver, {}, deps).decodeConfig(config);
  if (!decoded.ok) throw new Error(decoded.problems.join('; '));
  return scratch.task(decoded.value);
}

const suite = (way: Way): DriverSuite => ({
  open: opening(way, mockDriver, () => ({ options: {}, deps })),
  ends: (code) => task({ exit_code: code }),
  runsFor: (ms) => task({ run_for: `${ms}ms` }),
  stubborn: () => task({ run_for: '60s', kill_after: '60s' }),
  cannotStart: () => task({ start_error: 'cannot start' }),
  says: async (text) => {
    const of = await task({ stdout_string: `${text}\n` });
    return { task: of, read: () => readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8') };
  },
  execs: async () => ({
    task: await task({ run_for: '60s', exec_command: [{ stdout_string: 'out\n', exit_code: 4 }] }),
    command: ['anything'],
  }),
  excused: {},
});

describe.each(ways)('mock_driver, %s, does what every driver does:', (way) => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => each.run(suite(way)));
});

describe('mock_driver behind the plugin protocol', () => {
  test('what it declares, its errors and its network come through', async () => {
    const { driver, close } = await suite('over the wire').open();
    expect(driver.info).toEqual({
      name: 'mock_driver',
      version: '0.1.0',
      filesystem: 'none',
      networkModes: ['host', 'group', 'task', 'none'],
      mounts: true,
      ownCgroups: true,
    });
    for (const recoverable of [true, false]) {
      const of = await task({ start_error: 'cannot start', start_error_recoverable: recoverable });
      await expect(driver.start(of, never)).rejects.toMatchObject({ message: 'cannot start', recoverable });
    }
    const of = await task({ driver_ip: '10.0.0.1', port_map: 'web:8080', exit_err_msg: 'went wrong', exit_code: 5 });
    expect(await driver.start(of, never)).toMatchObject({ network: { ip: '10.0.0.1', portMap: { web: 8080 } } });
    expect(await driver.wait(of.id, never)).toMatchObject({ exitCode: 5, message: 'went wrong' });
    await close();
  });
});

test('ends with the signal and message it was told', async () => {
  const { engine } = openDriver(mockDriver, {}, deps);
  const of = await task({ exit_signal: 9, exit_err_msg: 'went wrong', run_for: '1ms' });
  await engine.start(of, never);
  expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 0, signal: 9, message: 'went wrong' });
});

test('a start error is recoverable exactly where it was told so', async () => {
  const { engine } = openDriver(mockDriver, {}, deps);
  for (const recoverable of [true, false]) {
    const of = await task({ start_error: 'cannot start', start_error_recoverable: recoverable });
    await expect(engine.start(of, never)).rejects.toMatchObject({ message: 'cannot start', recoverable });
  }
});

test('tells the address and ports it was given', async () => {
  const { engine } = openDriver(mockDriver, {}, deps);
  const of = await task({ driver_ip: '10.0.0.1', port_map: 'web:8080 db:5432', driver_advertise: true });
  expect(await engine.start(of, never)).toMatchObject({
    network: { ip: '10.0.0.1', portMap: { web: 8080, db: 5432 }, autoAdvertise: true },
  });
});

test('prints as often as it was told, to both streams, also of a command inside', async () => {
  const { engine } = openDriver(mockDriver, {}, deps);
  const printing = {
    ...{ stdout_string: 'o', stdout_repeat: 2, stdout_repeat_duration: '60ms' },
    ...{ stderr_string: 'e', stderr_repeat: 1, stderr_repeat_duration: '30ms' },
  };
  const inside = {
    exec_command: [
      {
        ...{ stdout_string: 'o', stdout_repeat: 2, stdout_repeat_duration: '60ms', run_for: '130ms' },
        ...{ stderr_string: 'e', stderr_repeat: 1, stderr_repeat_duration: '30ms' },
        ...{ exit_code: 3, exit_signal: 9, exit_err_msg: 'went wrong' },
      },
    ],
  };
  const of = await task({ ...printing, ...inside, run_for: '60s' });
  await engine.start(of, never);
  const printed = (stream: string) => readFile(join(of.directories.logs, `${of.name}.${stream}.0`), 'utf8');
  await expect.poll(() => Promise.all([printed('stdout'), printed('stderr')])).toEqual(['ooo', 'ee']);
  const from = performance.now();
  const session = await engine.exec!(of.id, { command: ['anything'], tty: false }, never);
  const said = { stdout: '', stderr: '' };
  for await (const { stream, data } of session.output) said[stream] += Buffer.from(data).toString();
  expect(said).toEqual({ stdout: 'ooo', stderr: 'ee' });
  expect(await session.exit).toMatchObject({ exitCode: 3, signal: 9, message: 'went wrong' });
  expect(performance.now() - from).toBeGreaterThanOrEqual(125);
  await engine.destroy(of.id, { force: true }, never);
});

test('takes as long to start as it was told, and answers signals as it was told', async () => {
  const { engine } = openDriver(mockDriver, {}, deps);
  const of = await task({ start_block_for: '80ms', run_for: '60s', signal_error: 'no signals today' });
  const from = performance.now();
  await engine.start(of, never);
  expect(performance.now() - from).toBeGreaterThanOrEqual(75);
  await expect(engine.signal!(of.id, 'SIGHUP', never)).rejects.toThrow('no signals today');
  await engine.destroy(of.id, { force: true }, never);
  const heeds = await task({ run_for: '60s' });
  await engine.start(heeds, never);
  await engine.signal!(heeds.id, 'SIGHUP', never);
  await engine.destroy(heeds.id, { force: true }, never);
});

test('takes the options by which a plugin process ends itself, and goes on: it has none', async () => {
  const { engine } = openDriver(mockDriver, { shutdown_periodic_after: true, shutdown_periodic_duration: 1 }, deps);
  const of = await task({ run_for: '80ms', plugin_exit_after: '1ms', exec_command: [{ signal_error: 'none' }] });
  await engine.start(of, never);
  expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 0 });
});
