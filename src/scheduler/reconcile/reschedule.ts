/** When a failed allocation is tried again elsewhere: delays, limits, and the record of attempts. */
import { parseInstant } from '../../lib/instant.ts';
import type { Allocation } from '../../model/allocation.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { ReschedulePolicy } from '../../model/reschedule-policy.ts';
import type { RescheduleEvent, RescheduleTracker } from '../../model/reschedule-tracker.ts';
import { isActive } from './deployments.ts';

/** A moment so near that no further evaluation is worth it, in nanoseconds. */
const nearNs = 1e9;
/** Attempts remembered where their number is not limited. */
const rememberedEvents = 5;

export type Reschedule =
  | { readonly when: 'never' }
  | { readonly when: 'now' }
  | { readonly when: 'later'; readonly at: number };

export interface RescheduleScope {
  /** Unix nanoseconds. */
  readonly now: number;
  readonly evaluationId: string;
  readonly deployment: Deployment | null;
  /** An evaluation that still waits to reschedule it. */
  isAwaited(evaluationId: string): boolean;
}

const never: Reschedule = { when: 'never' };

/** Whether its policy leaves a failed allocation another attempt, at whatever time. */
export function mayReschedule(allocation: Allocation, policy: ReschedulePolicy | null): boolean {
  return allocation.DesiredTransition.ForceReschedule || (policy !== null && hasAttempts(allocation, policy));
}

export function rescheduleOf(
  allocation: Allocation,
  policy: ReschedulePolicy | null,
  scope: RescheduleScope,
): Reschedule {
  if (!isFreeOfDeployment(allocation, scope.deployment)) return never;
  if (allocation.DesiredTransition.ForceReschedule) return { when: 'now' };
  if (allocation.ClientStatus !== 'failed' || policy === null || !hasAttempts(allocation, policy)) return never;
  const at = lastEventTime(allocation) + nextDelay(allocation, policy);
  if (allocation.FollowupEvalID === scope.evaluationId || at - scope.now <= nearNs) return { when: 'now' };
  return scope.isAwaited(allocation.FollowupEvalID) ? never : { when: 'later', at };
}

/**
 * While a deployment goes on, an allocation of it is only replaced where the deployment has time to go on trying (a progress deadline), or
 * where it was said that it may be.
 */
function isFreeOfDeployment(allocation: Allocation, deployment: Deployment | null): boolean {
  if (deployment === null || allocation.DeploymentID !== deployment.ID || !isActive(deployment)) return true;
  if (allocation.DesiredTransition.Reschedule) return true;
  const state = deployment.TaskGroups?.[allocation.TaskGroup];
  if (state === undefined) return true;
  return state.ProgressDeadline > 0 && (allocation.DeploymentStatus?.Healthy ?? null) !== null;
}

function hasAttempts(allocation: Allocation, policy: ReschedulePolicy): boolean {
  if (policy.Unlimited) return true;
  if (policy.Attempts <= 0) return false;
  const since = lastEventTime(allocation) - policy.Interval;
  const events = allocation.RescheduleTracker?.Events ?? [];
  return events.filter((event) => event.RescheduleTime > since).length < policy.Attempts;
}

/** When the last of its tasks ended; where none did, when the row last changed. */
function lastEventTime(allocation: Allocation): number {
  const ends = Object.values(allocation.TaskStates ?? {}).map((state) => parseInstant(state.FinishedAt));
  return Math.max(0, ...ends) || allocation.ModifyTime;
}

/** Nanoseconds from the failure to the next attempt. */
export function nextDelay(allocation: Allocation, policy: ReschedulePolicy): number {
  const events = allocation.RescheduleTracker?.Events ?? [];
  const last = events.at(-1);
  if (last === undefined || policy.DelayFunction === 'constant') return policy.Delay;
  const grown = policy.DelayFunction === 'fibonacci' ? nextFibonacci(events, policy) : last.Delay * 2;
  const delay = policy.MaxDelay > 0 ? Math.min(grown, policy.MaxDelay) : grown;
  // It ran for longer than it would have to wait: the series begins anew.
  return lastEventTime(allocation) - last.RescheduleTime > delay ? policy.Delay : delay;
}

function nextFibonacci(events: readonly RescheduleEvent[], policy: ReschedulePolicy): number {
  const last = events.at(-1)!.Delay;
  const before = events.at(-2)?.Delay;
  // After the ceiling came the first delay: a new series began there.
  if (before === undefined || (before === policy.MaxDelay && last === policy.Delay)) return last;
  return before + last;
}

/** The record that the replacement carries. */
export function trackerAfter(previous: Allocation, policy: ReschedulePolicy | null, now: number): RescheduleTracker {
  const events = previous.RescheduleTracker?.Events ?? [];
  const limited = policy !== null && policy.Attempts > 0 && !policy.Unlimited;
  const kept = limited
    ? events.filter((event) => policy.Interval > 0 && now - event.RescheduleTime <= policy.Interval)
    : events.slice(-rememberedEvents + 1);
  const event = {
    RescheduleTime: now,
    PrevAllocID: previous.ID,
    PrevNodeID: previous.NodeID,
    Delay: policy === null ? 0 : nextDelay(previous, policy),
  };
  return { Events: [...kept, event], LastReschedule: 'ok' };
}
