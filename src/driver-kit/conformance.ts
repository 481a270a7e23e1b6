/**
 * What every driver has to do, whatever it drives: run by each built-in in process, and by drivers behind the plugin protocol.
 * A suite value per driver says how to make it end, fail, sleep and speak; cases a driver is excused from are named with a reason.
 */
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineDriver, ExecSession, TaskConfig } from '../driver/contract.ts';
import { type FaultKind, isFault, messageOf } from '../lib/fault.ts';

export interface DriverSuite {
  /** A driver that has been used by nobody yet; `again`: another instance of it over the same host, as after a restart. */
  open(): Promise<{ readonly driver: EngineDriver; again(): Promise<EngineDriver>; close(): Promise<void> }>;
  /** Ends at once with this code. */
  ends(code: number): Promise<TaskConfig>;
  /** Runs so long, then ends with 0. */
  runsFor(ms: number): Promise<TaskConfig>;
  /** Does not heed the first signal of a stop; null: cannot be made. */
  stubborn(): Promise<TaskConfig | null>;
  /** Cannot be started. */
  cannotStart(): Promise<TaskConfig>;
  /** What the task wrote to stdout; null: nothing to look at. */
  says(text: string): Promise<{ readonly task: TaskConfig; read(): Promise<string> } | null>;
  /** A running task in which `command` prints "out\n", then ends with 4; null: no exec. */
  execs(): Promise<{ readonly task: TaskConfig; readonly command: readonly string[] } | null>;
  /** True: only the plugin protocol stands between, which carries no kind of fault but that a task is unknown; any refusal will do. */
  readonly foreign?: boolean;
  /** Case name → why this driver is excused. */
  readonly excused: Readonly<Record<string, string>>;
}

export interface ConformanceCase {
  readonly name: string;
  run(suite: DriverSuite): Promise<void>;
}

type Body = (driver: EngineDriver, suite: DriverSuite, again: () => Promise<EngineDriver>) => Promise<void>;

const never = new AbortController().signal;

function conformanceCase(name: string, body: Body): ConformanceCase {
  return {
    name,
    run: async (suite) => {
      if (suite.excused[name] !== undefined) return;
      const opened = await suite.open();
      try {
        await body(opened.driver, suite, opened.again);
      } finally {
        await opened.close();
      }
    },
  };
}

async function refuses(
  work: Promise<unknown>,
  kind: FaultKind,
  { foreign = false }: Partial<DriverSuite> = {},
): Promise<void> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error === null) assert.fail(`expected a refusal (${kind}), but it was done`);
  assert.ok(isFault(error, foreign ? undefined : kind), `expected a fault of kind ${kind}, got ${String(error)}`);
}

/** Empty too of one that does not tell. */
async function toldOf(driver: EngineDriver, task: TaskConfig): Promise<readonly string[]> {
  if (driver.rehearse === undefined) return [];
  return driver.rehearse({ ...task, rehearsal: { filesCome: false } }, never).catch((error: unknown) => {
    if (isFault(error, 'unsupported')) return [];
    throw error;
  });
}

async function gone(driver: EngineDriver, task: TaskConfig): Promise<void> {
  await driver.destroy(task.id, { force: true }, never);
  await refuses(driver.inspect(task.id, never), 'not_found');
}

/** What every driver does, in process and behind the protocol. A case needs no test runner: it resolves, or rejects with what is wrong. */
export const conformanceCases: readonly ConformanceCase[] = [
  conformanceCase('the first fingerprint comes at once and says how the driver is', async (driver) => {
    const stop = new AbortController();
    for await (const report of driver.fingerprint(stop.signal)) {
      assert.ok(['undetected', 'unhealthy', 'healthy'].includes(report.health));
      assert.ok(report.description.length > 0);
      stop.abort();
      break;
    }
  }),
  conformanceCase('a task ends with its code, and the end can be asked again and by many', async (driver, suite) => {
    const task = await suite.ends(7);
    const started = await driver.start(task, never);
    assert.equal(typeof started.state.version, 'number');
    assert.ok(JSON.stringify(started.state).length <= 65_536, 'the state is at most 64 KiB');
    const ends = await Promise.all([driver.wait(task.id, never), driver.wait(task.id, never)]);
    for (const end of [...ends, await driver.wait(task.id, never)]) assert.equal(end.exitCode, 7);
    const status = await driver.inspect(task.id, never);
    assert.equal(status.state, 'exited');
    assert.equal(status.exit?.exitCode, 7);
    await driver.destroy(task.id, { force: false }, never);
    await refuses(driver.wait(task.id, never), 'not_found');
  }),
  conformanceCase('a known id is refused', async (driver, suite) => {
    const task = await suite.runsFor(60_000);
    await driver.start(task, never);
    await refuses(driver.start(task, never), 'exists', suite);
    assert.equal((await driver.inspect(task.id, never)).state, 'running');
    await gone(driver, task);
  }),
  conformanceCase('a start that fails is a fault and leaves nothing', async (driver, suite) => {
    const task = await suite.cannotStart();
    const error = await driver.start(task, never).then(
      () => null,
      (reason: unknown) => reason,
    );
    assert.ok(isFault(error), `expected a fault, got ${String(error)}`);
    assert.ok(error.message.length > 0);
    await refuses(driver.inspect(task.id, never), 'not_found');
  }),
  conformanceCase('what it tells before a start is what the start says', async (driver, suite) => {
    const [good, bad] = [await suite.ends(0), await suite.cannotStart()];
    assert.deepEqual(await toldOf(driver, good), []);
    const refusals = await toldOf(driver, bad);
    const error = await driver.start(bad, never).catch((reason: unknown) => reason);
    assert.ok(
      refusals.every((each) => each === messageOf(error)),
      `told ${refusals.join()}, but ${String(error)}`,
    );
    await refuses(driver.inspect(good.id, never), 'not_found');
    await driver.start(good, never);
    await gone(driver, good);
  }),
  conformanceCase('stop ends a task, and stopping what has ended does nothing', async (driver, suite) => {
    const task = await suite.runsFor(60_000);
    await driver.start(task, never);
    // a program may need a moment before it heeds a signal
    await sleep(200);
    await driver.stop(task.id, { timeoutMs: 5000, killSignal: '' }, never);
    await driver.wait(task.id, never);
    await driver.stop(task.id, { timeoutMs: 5000, killSignal: '' }, never);
    await gone(driver, task);
  }),
  conformanceCase('what does not heed the signal is killed after the timeout', async (driver, suite) => {
    const task = await suite.stubborn();
    if (task === null) return;
    await driver.start(task, never);
    await sleep(300);
    const before = Date.now();
    await driver.stop(task.id, { timeoutMs: 300, killSignal: 'SIGINT' }, never);
    const tookMs = Date.now() - before;
    assert.ok(tookMs >= 250 && tookMs < 5000, `stop took ${tookMs} ms`);
    await gone(driver, task);
  }),
  conformanceCase('a running task is destroyed only by force', async (driver, suite) => {
    const task = await suite.runsFor(60_000);
    await driver.start(task, never);
    await refuses(driver.destroy(task.id, { force: false }, never), 'conflict', suite);
    await gone(driver, task);
    await refuses(driver.destroy(task.id, { force: true }, never), 'not_found');
  }),
  conformanceCase('giving up a wait does not touch the task', async (driver, suite) => {
    const task = await suite.runsFor(60_000);
    await driver.start(task, never);
    const stop = new AbortController();
    const waiting = driver.wait(task.id, stop.signal);
    stop.abort();
    await assert.rejects(waiting);
    assert.equal((await driver.inspect(task.id, never)).state, 'running');
    await gone(driver, task);
  }),
  conformanceCase(
    'a running task is found again by its state, and once known is not found twice',
    async (driver, suite, again) => {
      const task = await suite.runsFor(60_000);
      const { state } = await driver.start(task, never);
      const stored = JSON.parse(JSON.stringify(state)) as typeof state;
      const other = await again();
      await other.recover(task, stored, never);
      await other.recover(task, stored, never);
      assert.equal((await other.inspect(task.id, never)).state, 'running');
      await other.stop(task.id, { timeoutMs: 5000, killSignal: '' }, never);
      assert.equal((await other.wait(task.id, never)).unknown, undefined);
      await other.destroy(task.id, { force: true }, never);
    },
  ),
  conformanceCase('an end that nobody saw is told after recovery', async (driver, suite, again) => {
    const task = await suite.ends(5);
    const { state } = await driver.start(task, never);
    await driver.wait(task.id, never);
    const other = await again();
    await other.recover(task, JSON.parse(JSON.stringify(state)) as typeof state, never);
    assert.equal((await other.wait(task.id, never)).exitCode, 5);
    await other.destroy(task.id, { force: false }, never);
  }),
  conformanceCase('an unknown state is not found', async (driver, suite) => {
    const task = await suite.runsFor(1000);
    await refuses(driver.recover(task, { version: 999 }, never), 'not_found', suite);
  }),
  conformanceCase('unknown ids are not found by any call', async (driver) => {
    const id = '00000000-0000-4000-8000-000000000000/none/00000000';
    await refuses(driver.wait(id, never), 'not_found');
    await refuses(driver.inspect(id, never), 'not_found');
    await refuses(driver.stop(id, { timeoutMs: 0, killSignal: '' }, never), 'not_found');
    await refuses(driver.destroy(id, { force: false }, never), 'not_found');
    if (driver.stats) {
      const refused = await driver.stats(id, never).catch((error: unknown) => error);
      if (!withoutStats(refused))
        assert.ok(isFault(refused, 'not_found'), `expected not_found, got ${String(refused)}`);
    }
    if (driver.signal) await refuses(driver.signal(id, 'SIGHUP', never), 'not_found');
    // a host waits a moment for a refusal; what a busy plugin says later is how the session ends
    const session = driver.exec?.(id, { command: ['true'], tty: false }, never);
    if (session !== undefined)
      await refuses(
        session.then(({ exit }) => exit),
        'not_found',
      );
  }),
  conformanceCase('output is kept', async (driver, suite) => {
    const speaking = await suite.says('hello from the task');
    if (speaking === null) return;
    await driver.start(speaking.task, never);
    await driver.wait(speaking.task.id, never);
    assert.match(await speaking.read(), /hello from the task/);
    await driver.destroy(speaking.task.id, { force: true }, never);
  }),
  conformanceCase('stats are a sample of now', async (driver, suite) => {
    if (driver.stats === undefined) return;
    const task = await suite.runsFor(60_000);
    await driver.start(task, never);
    const sample = await driver.stats(task.id, never).catch((error: unknown) => {
      if (!withoutStats(error)) throw error;
      return null;
    });
    if (sample !== null) assert.ok(Math.abs(Number(sample.timestamp / 1_000_000n) - Date.now()) < 60_000);
    await gone(driver, task);
  }),
  conformanceCase('exec gives output, then the code', (driver, suite) =>
    execCase(driver, suite, { tty: false, input: 'closed' }),
  ),
  conformanceCase('exec ends with its command although its input is open', (driver, suite) =>
    execCase(driver, suite, { tty: false, input: 'open' }),
  ),
  conformanceCase('exec with a terminal gives output, then the code', (driver, suite) =>
    execCase(driver, suite, { tty: true, input: 'open' }),
  ),
];

/** The plugin protocol has no flag for it: a driver says so when it is asked. */
const withoutStats = (error: unknown): boolean =>
  isFault(error) && (error.kind === 'unsupported' || /not (implemented|supported)/i.test(error.message));

interface ExecWay {
  readonly tty: boolean;
  readonly input: 'open' | 'closed';
}

async function execCase(driver: EngineDriver, suite: DriverSuite, { tty, input }: ExecWay): Promise<void> {
  const given = await suite.execs();
  if (given === null || driver.exec === undefined) return;
  await driver.start(given.task, never);
  try {
    const session = await driver.exec(given.task.id, { command: given.command, tty }, never);
    if (input === 'closed') await session.closeStdin();
    assert.match(await everything(session), /out\r?\n/);
    assert.equal((await session.exit).exitCode, 4);
  } finally {
    await gone(driver, given.task);
  }
}

async function everything(session: ExecSession): Promise<string> {
  let text = '';
  for await (const { data } of session.output) text += Buffer.from(data).toString();
  return text;
}
