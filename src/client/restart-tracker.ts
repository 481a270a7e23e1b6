/** Whether a task that ended runs again, and when: Nomad's restart policies, as one pure function. */
import type { TaskExit } from '../driver/contract.ts';
import { formatDuration } from '../lib/duration.ts';
import type { TaskLifecycle } from '../model/lifecycle.ts';
import type { RestartPolicy } from '../model/restart-policy.ts';
import { withinPolicy } from './task-events.ts';

/** Restarts counted within the running interval. */
export interface RestartHistory {
  readonly count: number;
  /** Unix milliseconds; 0: no interval has begun. */
  readonly intervalStartMs: number;
}

export const noRestarts: RestartHistory = { count: 0, intervalStartMs: 0 };

export type TaskEnd =
  | { readonly kind: 'exited'; readonly exit: TaskExit }
  | { readonly kind: 'not-started'; readonly recoverable: boolean };

export interface RestartVerdict {
  readonly verdict: 'restart' | 'fail' | 'complete';
  readonly reason: string;
  readonly delayMs: number;
  readonly history: RestartHistory;
}

function successful(exit: TaskExit): boolean {
  return exit.unknown === undefined && exit.exitCode === 0 && exit.signal === 0;
}

/** Services and sidecars run again after a successful end too; batch work and one-shot lifecycle tasks do not. */
export function restartsOnSuccess(jobType: string, lifecycle: TaskLifecycle | null): boolean {
  if (lifecycle !== null) return lifecycle.Sidecar && lifecycle.Hook !== 'poststop';
  return jobType !== 'batch' && jobType !== 'sysbatch';
}

/** `random`: 0 ≤ x < 1, for the jitter of up to a quarter of the delay. */
export function afterEnd(
  end: TaskEnd,
  policy: RestartPolicy,
  onSuccess: boolean,
  before: RestartHistory,
  nowMs: number,
  random: number,
): RestartVerdict {
  const finished = end.kind === 'exited' && successful(end.exit) && !onSuccess;
  if (policy.Attempts === 0) {
    if (finished) return verdict('complete', '', 0, before);
    return verdict('fail', 'Policy allows no restarts', 0, before);
  }
  const intervalMs = policy.Interval / 1e6;
  const over = before.intervalStartMs === 0 || nowMs > before.intervalStartMs + intervalMs;
  const history = over
    ? { count: 1, intervalStartMs: nowMs }
    : { count: before.count + 1, intervalStartMs: before.intervalStartMs };
  if (finished) return verdict('complete', '', 0, history);
  if (end.kind === 'not-started' && !end.recoverable) return verdict('fail', 'Error was unrecoverable', 0, history);
  if (history.count <= policy.Attempts) return verdict('restart', withinPolicy, jittered(policy, random), history);
  if (policy.Mode === 'fail') {
    const reason = `Exceeded allowed attempts ${policy.Attempts} in interval ${formatDuration(policy.Interval)} and mode is "fail"`;
    return verdict('fail', reason, 0, history);
  }
  const restOfInterval = Math.max(0, history.intervalStartMs + intervalMs - nowMs);
  const delayMs = Math.floor(restOfInterval + random * 0.25 * restOfInterval);
  return verdict('restart', 'Exceeded allowed attempts, applying a delay', delayMs, history);
}

function jittered(policy: RestartPolicy, random: number): number {
  const delayMs = policy.Delay / 1e6;
  return Math.floor(delayMs + random * 0.25 * delayMs);
}

function verdict(what: RestartVerdict['verdict'], reason: string, delayMs: number, history: RestartHistory) {
  return { verdict: what, reason, delayMs, history };
}
