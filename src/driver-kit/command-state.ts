/** What a command driver's task is found again by. Versioned JSON, checked when it comes back: it was on a disk. */
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IsolationReport, TaskHandleState } from '../driver/contract.ts';
import type { TaskCgroup } from '../isolation/cgroup/task-cgroup.ts';
import type { RunningChecks } from '../isolation/host-checks.ts';
import { Fault } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';

export interface CommandState extends TaskHandleState {
  readonly version: 1;
  /** The shim's record directory. */
  readonly directory: string;
  readonly cgroup: TaskCgroup | null;
  readonly pid: number;
  /** Unix nanoseconds, decimal. */
  readonly startedAt: string;
  /** Where an exec session begins, as the task sees it. */
  readonly execWorkDir: string;
  /** What the driver added to the task's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly withoutEnv: readonly string[];
  /** Clock ticks since boot, decimal: with `pid` the identity of the main process. */
  readonly startTime: string;
  readonly isolation: IsolationReport;
  /** What is looked for again while it runs; null: nothing was verified. */
  readonly checks: RunningChecks | null;
}

/**
 * The state of a start as it comes back after a restart of the agent. `Fault('not_found')` where it cannot be read: the task counts as
 * lost.
 */
export function readCommandState(state: TaskHandleState): CommandState {
  const value = state as Partial<CommandState>;
  const whole =
    value.version === 1 &&
    typeof value.directory === 'string' &&
    typeof value.pid === 'number' &&
    /^\d{1,20}$/.test(value.startedAt ?? '') &&
    typeof value.execWorkDir === 'string' &&
    typeof value.isolation?.rung === 'string' &&
    (value.cgroup === null || Array.isArray(value.cgroup?.directories));
  if (!whole)
    throw new Fault('not_found', `the stored state of the task cannot be read (version ${String(state.version)})`);
  return {
    ...(value as CommandState),
    env: value.env ?? {},
    withoutEnv: value.withoutEnv ?? [],
    startTime: value.startTime ?? '0',
    checks: value.checks ?? null,
  };
}

const noteName = 'state.json';

/**
 * Beside the intent, before the command is let go: an agent that is killed before its client has stored the state finds it here. For the
 * life of this boot, so without waiting for the disk. What is not known yet (pid, times) the shim tells later.
 */
export function noteState(state: CommandState): void {
  makeDirectories(state.directory, 0o700);
  writeFileSync(join(state.directory, noteName), JSON.stringify(state), { mode: 0o600 });
}

/** Null: none was written, or not whole. */
export async function notedState(directory: string): Promise<CommandState | null> {
  try {
    const state = readCommandState(JSON.parse(await readFile(join(directory, noteName), 'utf8')) as TaskHandleState);
    return state.directory === directory ? state : null;
  } catch {
    return null;
  }
}
