/** Allocations of a new version beside those of the old one, until somebody says that they are good. Source: Nomad's update block, `canary`. */
import type { Allocation } from '../../model/allocation.ts';
import type { Deployment } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { allocationText } from '../descriptions.ts';
import { isClientTerminal } from '../fit.ts';
import { canaryNames } from './allocation-names.ts';
import type { Place, Stop } from './changes.ts';
import { isNodeLost } from './classify.ts';
import { rollingUpdate } from './deployments.ts';
import type { Sorted } from './sort.ts';

export interface Split {
  /** Everything but canaries; a canary that was promoted is none any more. */
  readonly ordinary: readonly Allocation[];
  /** Of the deployment that goes on. */
  readonly canaries: readonly Allocation[];
  /** Of a deployment that is over: nobody will say any more that they are good. */
  readonly abandoned: readonly Allocation[];
}

export function splitCanaries(members: readonly Allocation[], current: Deployment | null): Split {
  const split = { ordinary: [] as Allocation[], canaries: [] as Allocation[], abandoned: [] as Allocation[] };
  for (const allocation of members) {
    if (!(allocation.DeploymentStatus?.Canary ?? false)) split.ordinary.push(allocation);
    else if (current?.Status !== 'failed' && allocation.DeploymentID === current?.ID) split.canaries.push(allocation);
    else split.abandoned.push(allocation);
  }
  return split;
}

/** What ended keeps its end. */
export function stopAbandoned(abandoned: readonly Allocation[], nodeOf: Parameters<typeof isLost>[1]): readonly Stop[] {
  return abandoned
    .filter(({ DesiredStatus }) => DesiredStatus === 'run')
    .map((allocation) =>
      isLost(allocation, nodeOf)
        ? { allocation, description: allocationText.lost, lost: true }
        : { allocation, description: allocationText.notNeeded, lost: false },
    );
}

function isLost(allocation: Allocation, nodeOf: (id: string) => Parameters<typeof isNodeLost>[0]): boolean {
  return !isClientTerminal(allocation) && isNodeLost(nodeOf(allocation.NodeID));
}

/** How many canaries the group is to have now; 0: none, also where they were promoted. */
export function wantedCanaries(
  job: Job,
  group: TaskGroup,
  current: Deployment | null,
  destructive: readonly Allocation[],
): number {
  if (current === null) return destructive.length > 0 ? (rollingUpdate(job, group)?.Canary ?? 0) : 0;
  const state = current.TaskGroups?.[group.Name];
  return state === undefined || state.Promoted ? 0 : state.DesiredCanaries;
}

/**
 * What becomes of canaries that are there, and which ones are missing. One that has to leave its node is not moved: another one begins
 * elsewhere. Failed ones are replaced as their policy says, whatever the count.
 */
export function reconcileCanaries(
  job: Job,
  group: TaskGroup,
  there: Sorted,
  destructive: readonly Allocation[],
  wanted: number,
): { readonly stops: readonly Stop[]; readonly places: readonly Place[] } {
  const standing = [...there.counts, ...there.retryNow];
  const names = canaryNames(job.ID, group, standing, destructive, wanted - standing.length);
  return {
    stops: [
      ...there.migrate.map((allocation) => ({ allocation, description: allocationText.migrating, lost: false })),
      ...there.lost.map((allocation) => ({ allocation, description: allocationText.lost, lost: true })),
    ],
    places: [
      ...there.retryNow.map((previous) => ({
        name: previous.Name,
        group,
        previous,
        kind: 'reschedule' as const,
        canary: true,
      })),
      ...names.map((name) => ({ name, group, previous: null, kind: 'new' as const, canary: true })),
    ],
  };
}
