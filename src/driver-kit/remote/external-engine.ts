/** The hooks of an external driver: every one asks for the plugin that runs now; which optional ones there are is what it last said. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverEvent, DriverInfo, EngineDriver, Fingerprint } from '../../driver/contract.ts';
import { abortable } from '../../lib/abortable.ts';
import { isFault } from '../../lib/fault.ts';
import { AsyncQueue } from '../async-queue.ts';
import type { External } from './external-driver.ts';
import { Preparations } from './preparations.ts';

type Optional = 'signal' | 'exec' | 'createNetwork' | 'destroyNetwork';

export function engineOf(external: External): EngineDriver {
  const { fileName } = external.options;
  const unknown: DriverInfo = { name: fileName, version: '0.0.0', filesystem: 'none', networkModes: [], mounts: false };
  const info = (): DriverInfo => external.last?.driver.info ?? unknown;
  const hooks = {
    get info() {
      return info();
    },
    fingerprint: (signal: AbortSignal) => fingerprints(external, signal),
    ...lifecycle(external, info),
    rehearse: (...given: Parameters<NonNullable<EngineDriver['rehearse']>>) =>
      asked(external, (now) => now.rehearse!(...given)),
    inspect: (...given: Parameters<EngineDriver['inspect']>) => asked(external, (now) => now.inspect(...given)),
    stats: (...given: Parameters<NonNullable<EngineDriver['stats']>>) => asked(external, (now) => now.stats!(...given)),
    events: (signal: AbortSignal) => events(external, signal),
    get signal() {
      return optional(external, 'signal');
    },
    get exec() {
      return optional(external, 'exec');
    },
    get createNetwork() {
      return optional(external, 'createNetwork');
    },
    get destroyNetwork() {
      // one call without the other is no capability
      return external.last?.driver.createNetwork ? optional(external, 'destroyNetwork', true) : undefined;
    },
    close: () => external.close(),
  };
  return hooks as EngineDriver;
}

/** A call of the plugin that runs now; one that is not there any more is found out. */
async function asked<T>(external: External, call: (driver: EngineDriver) => Promise<T>): Promise<T> {
  const driver = await external.current();
  try {
    return await call(driver);
  } catch (error) {
    if (isFault(error, 'unavailable')) external.silent(driver);
    throw error;
  }
}

function optional<N extends Optional>(external: External, name: N, always = false): EngineDriver[N] {
  const { last } = external;
  if (!always && (last === null || !last.driver[name as 'signal'])) return undefined;
  return ((...given: readonly unknown[]) =>
    asked(external, (now) =>
      (now[name] as (...args: readonly unknown[]) => Promise<unknown>)(...given),
    )) as EngineDriver[N];
}

const askedAfterMs = 5;

function lifecycle(
  external: External,
  info: () => DriverInfo,
): Pick<EngineDriver, 'expect' | 'start' | 'recover' | 'wait' | 'stop' | 'destroy'> {
  const { deps, tasks, starting } = external;
  const preparations = new Preparations(deps, info);
  return {
    expect: (task) => {
      // what a plugin takes is not known before it was up
      if (external.last !== null) preparations.expect(task);
    },
    start: async (task, signal) => {
      const driver = await external.current().catch(async (error: unknown) => {
        await preparations.unexpect(task.id);
        throw error;
      });
      const prepared = preparations.begin(task);
      try {
        const given = await prepared;
        const work = driver.start(given, signal);
        starting.add(work);
        const started = await work.finally(() => starting.delete(work));
        tasks.set(task.id, { task: given, state: started.state });
        preparations.began(task.id);
        return started;
      } catch (error) {
        if (isFault(error, 'unavailable')) external.silent(driver);
        // what is given up here may still come through there
        if (signal.aborted) preparations.began(task.id);
        else await preparations.failed(task.id, () => tasks.has(task.id));
        throw error;
      }
    },
    recover: async (task, state, signal) => {
      const given = await preparations.again(task);
      const found = await asked(external, (now) => now.recover(given, state, signal));
      tasks.set(task.id, { task: given, state });
      return found;
    },
    wait: async (...given) => {
      // that it runs is told and stored first: each of these calls takes a millisecond of this thread
      await sleep(askedAfterMs);
      const exit = await asked(external, (now) => now.wait(...given)).catch((error: unknown) => {
        if (isFault(error, 'not_found') && tasks.has(given[0]))
          external.faults.add('WaitTask: it does not know a task that it took', true);
        throw error;
      });
      // the next plugin need not know of what has ended
      tasks.delete(given[0]);
      return exit;
    },
    stop: (...given) => asked(external, (now) => now.stop(...given)),
    destroy: async (taskId, how, signal) => {
      const known = tasks.get(taskId);
      tasks.delete(taskId);
      let ended = true;
      try {
        await asked(external, (now) => now.destroy(taskId, how, signal));
      } catch (error) {
        ended = how.force || isFault(error, 'not_found');
        if (isFault(error, 'not_found')) void external.mayStillStart(taskId);
        throw error;
      } finally {
        // what runs on is collected on, and the next plugin hears of it
        if (ended) await preparations.end(taskId);
        else if (known !== undefined) tasks.set(taskId, known);
      }
    },
  };
}

/** Goes on over the plugin's deaths, and names what it does wrong: between them the driver is unhealthy, with the reason. */
async function* fingerprints(external: External, signal: AbortSignal): AsyncGenerator<Fingerprint> {
  const reports = new AsyncQueue<Fingerprint>();
  let last: Fingerprint | null = null;
  const tell = (): void => {
    if (last !== null) reports.push(external.faults.named(last));
  };
  const done = new AbortController();
  const all = AbortSignal.any([signal, done.signal]);
  if (signal.aborted) return;
  all.addEventListener('abort', () => reports.end(), { once: true });
  const silence = external.faults.listen(tell);
  // a fault is forgiven in time
  const forgiven = setInterval(tell, 30_000);
  forgiven.unref();
  void follow(external, all, (report) => {
    last = report;
    tell();
  });
  try {
    yield* reports;
  } finally {
    done.abort();
    clearInterval(forgiven);
    silence();
  }
}

/** A plugin that is not up by then is said to be starting. */
const slowMs = 1_500;

async function follow(external: External, signal: AbortSignal, report: (report: Fingerprint) => void): Promise<void> {
  const down = (): void =>
    report({ health: 'unhealthy', description: external.problem ?? 'the plugin does not answer', attributes: {} });
  for (let quick = 0; !signal.aborted; quick = Math.min(6, quick + 1)) {
    const began = Date.now();
    let failed = false;
    let driver: EngineDriver | null = null;
    try {
      const slow = setTimeout(down, slowMs);
      driver = await external.current().finally(() => clearTimeout(slow));
      for await (const each of driver.fingerprint(signal)) report(each);
    } catch (error) {
      failed = true;
      if (driver !== null && isFault(error, 'unavailable')) external.silent(driver);
    }
    if (signal.aborted) return;
    if (driver !== null && (await replaced(external, driver))) {
      // its successor tells at once
      quick = -1;
      continue;
    }
    if (failed || external.problem !== null) down();
    if (Date.now() - began > 60_000) quick = 0;
    // a stream that ends at once is not opened again at once for ever
    await sleep(1_000 * 2 ** quick, undefined, { signal, ref: false }).catch(() => {});
  }
}

async function replaced(external: External, driver: EngineDriver): Promise<boolean> {
  const now = external.problem === null ? await external.current().catch(() => null) : null;
  return now !== null && now !== driver;
}

const mostEvents = 100;
const perMs = 10_000;

/** Over the plugin's deaths; more than a hundred in ten seconds are left out. */
async function* events(external: External, signal: AbortSignal): AsyncGenerator<DriverEvent> {
  let [since, count] = [0, 0];
  while (!signal.aborted) {
    try {
      // one that is being started may say nothing for a minute
      const driver = await abortable(external.current(), signal);
      for await (const event of driver.events?.(signal) ?? []) {
        if (Date.now() - since > perMs) [since, count] = [Date.now(), 0];
        if (++count <= mostEvents) yield event;
        else if (count === mostEvents + 1)
          external.faults.add(`TaskEvents: more than ${mostEvents} in ${perMs / 1000} s; the rest are left out`, false);
      }
    } catch {
      // the fingerprint says what is wrong
    }
    await sleep(2_000, undefined, { signal, ref: false }).catch(() => {});
  }
}
