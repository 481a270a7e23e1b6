import type { Allocation } from '../../model/allocation.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { isTerminal } from '../fit.ts';
import type { Later, ReconcileInput } from './changes.ts';
import { classify, standing } from './classify.ts';
import { rescheduleOf } from './reschedule.ts';

/** The allocations of a group, by what is to become of them. */
export interface Sorted {
  /** They have their place in the group. */
  readonly counts: readonly Allocation[];
  readonly migrate: readonly Allocation[];
  readonly lost: readonly Allocation[];
  readonly retryNow: readonly Allocation[];
  readonly retryLater: readonly Later[];
  readonly ignored: number;
}

export function sort(
  job: Job,
  group: TaskGroup,
  members: readonly Allocation[],
  input: ReconcileInput,
  deployment: Deployment | null,
): Sorted {
  const isBatch = job.Type === 'batch';
  // What an older version of a batch job did does not count for this one.
  const isOld = (allocation: Allocation): boolean =>
    isTerminal(allocation) && (allocation.JobVersion < job.Version || allocation.CreateIndex < job.CreateIndex);
  const current = isBatch ? members.filter((allocation) => !isOld(allocation)) : members;
  const { untainted, migrate, lost: away } = classify(current, input.nodeOf);
  const lost = away.filter(({ NodeID }) => replacesLost(group) || input.nodeOf(NodeID) === undefined);
  const counts = away.filter((allocation) => !lost.includes(allocation));
  const retryNow: Allocation[] = [];
  const retryLater: Later[] = [];
  for (const allocation of untainted) {
    const is = standing(allocation, isBatch);
    if (is === 'counts') counts.push(allocation);
    // Replaced already: the one that came after it counts.
    if (is !== 'failed' || (allocation.NextAllocation !== '' && isTerminal(allocation))) continue;
    const retry = rescheduleOf(allocation, group.ReschedulePolicy, {
      ...input,
      deployment,
      isAwaited: input.isAwaited,
    });
    if (retry.when === 'now') retryNow.push(allocation);
    else counts.push(allocation);
    if (retry.when === 'later') retryLater.push({ allocation, at: retry.at });
  }
  return { counts, migrate, lost, retryNow, retryLater, ignored: members.length - current.length };
}

/** Without this, an allocation keeps its place while its node is away, for as long as the node is known at all. */
function replacesLost(group: TaskGroup): boolean {
  return !group.PreventRescheduleOnLost && (group.Disconnect?.Replace ?? true);
}
