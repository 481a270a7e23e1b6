/** The whole check of a plugin: what every driver does (`conformance.ts`), then what its process has to bear (`fault-cases.ts`). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineDriver } from '../../driver/contract.ts';
import { Fault, messageOf } from '../../lib/fault.ts';
import { conformanceCases, type DriverSuite } from '../conformance.ts';
import { type BenchOptions, CheckBench, type CheckedPlugin, NotGiven } from './check-bench.ts';
import { faultCases } from './fault-cases.ts';

export interface CheckRow {
  readonly group: 'driver' | 'process' | 'faults';
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'excused';
  readonly ms: number;
  /** Why it failed or was not run; empty where it passed. */
  readonly reason: string;
}

export interface CheckReport {
  readonly driver: string;
  readonly version: string;
  /** From the start of the process until its first answers, in milliseconds. */
  readonly readyMs: number;
  readonly can: readonly string[];
  /** False: it is not known how tasks of this driver are made; what needs one was not run. */
  readonly tasksKnown: boolean;
  readonly rows: readonly CheckRow[];
}

export interface CheckOptions extends BenchOptions {
  /** Told of each row when it is known. */
  readonly row?: (row: CheckRow) => void;
  /** Cases whose name contains one of these; none: all. */
  readonly only: readonly string[];
  readonly signal: AbortSignal;
}

const caseLimitMs = 120_000;
const hooks = ['signal', 'exec', 'stats', 'events'] as const;

/** `Fault('unavailable')`: the plugin does not even start. `Fault('invalid')`: no case is meant. Where the signal fired it ends early. */
export async function checkDriver(options: CheckOptions): Promise<CheckReport> {
  const bench = await CheckBench.open(options);
  try {
    const planned = plan(bench, options);
    if (planned.length === 0)
      throw new Fault(
        'invalid',
        `no case has a name that contains ${options.only.map((each) => JSON.stringify(each)).join(' or ')}`,
      );
    const before = Date.now();
    const first = await bench.plugin();
    const readyMs = Date.now() - before;
    const { name, version } = first.engine.info;
    const can = hooks.filter((hook) => first.engine[hook] !== undefined);
    const tasksKnown = await bench.recognize(first);
    await bench.clear();
    const rows: CheckRow[] = [];
    for (const each of planned) {
      if (options.signal.aborted) break;
      const row = await runCase(bench, each);
      rows.push(row);
      options.row?.(row);
      await bench.clear();
    }
    if (!options.signal.aborted) {
      const last = leftRow(await bench.left());
      rows.push(last);
      options.row?.(last);
    }
    return { driver: name, version, readyMs, can, tasksKnown, rows };
  } finally {
    await bench.close();
  }
}

interface Planned {
  readonly group: CheckRow['group'];
  readonly name: string;
  run(): Promise<void>;
}

function plan(bench: CheckBench, { command, only }: CheckOptions): readonly Planned[] {
  const suite = suiteOf(bench);
  return [
    ...conformanceCases.map(({ name, run }) => ({ group: 'driver' as const, name, run: () => run(suite) })),
    ...faultCases.map(({ group, name, run }) => ({ group, name, run: () => run(bench, command) })),
  ].filter(({ name }) => only.length === 0 || only.some((text) => name.includes(text)));
}

async function runCase(bench: CheckBench, { group, name, run }: Planned): Promise<CheckRow> {
  const excuse = bench.file.excused[name];
  if (excuse !== undefined) return { group, name, outcome: 'excused', ms: 0, reason: excuse };
  const before = Date.now();
  const limit = new AbortController();
  try {
    await Promise.race([
      run(),
      sleep(caseLimitMs, undefined, { signal: limit.signal }).then(() => {
        throw new Error(`not over after ${caseLimitMs / 1000} s`);
      }),
    ]);
    return { group, name, outcome: 'passed', ms: Date.now() - before, reason: '' };
  } catch (error) {
    const outcome = error instanceof NotGiven ? 'skipped' : 'failed';
    return { group, name, outcome, ms: Date.now() - before, reason: messageOf(error) };
  } finally {
    limit.abort();
  }
}

function leftRow(left: readonly string[]): CheckRow {
  const name = 'no process of any task is left behind';
  const reason = left.length === 0 ? '' : `still there: ${left.join(', ')}`;
  return { group: 'faults', name, outcome: left.length === 0 ? 'passed' : 'failed', ms: 0, reason };
}

/** Tasks of the check's file; `again` is what a host sees after the plugin was killed. */
function suiteOf(bench: CheckBench): DriverSuite {
  let current: CheckedPlugin | null = null;
  const plugin = (): CheckedPlugin => {
    if (current === null) throw new Error('no plugin is open');
    return current;
  };
  return {
    open: async () => {
      const first = await bench.plugin();
      current = first;
      return {
        driver: first.engine,
        again: async (): Promise<EngineDriver> => {
          await first.kill();
          await first.external.close();
          current = await bench.plugin(first.directory);
          return current.engine;
        },
        close: async () => {},
      };
    },
    ends: (code) => bench.task(plugin(), 'ends', { code: String(code) }),
    runsFor: (ms) => bench.task(plugin(), 'runs', { ms: String(ms), seconds: String(ms / 1000) }),
    stubborn: () => bench.task(plugin(), 'stubborn'),
    cannotStart: () => bench.task(plugin(), 'fails'),
    says: async (text) => {
      const task = await bench.task(plugin(), 'says', { text });
      const path = join(task.directories.logs, `${task.name}.stdout.0`);
      return { task, read: () => readSoon(path, text) };
    },
    execs: async () => ({ task: await bench.task(plugin(), 'execs'), command: bench.file.command }),
    foreign: true,
    excused: {},
  };
}

/** A plugin's output comes through a pipe and is written by another process. */
async function readSoon(path: string, text: string): Promise<string> {
  for (let waited = 0; ; waited += 50) {
    const found = await readFile(path, 'utf8').catch(() => '');
    if (found.includes(text) || waited > 3000) return found;
    await sleep(50);
  }
}
