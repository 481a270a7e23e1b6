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
