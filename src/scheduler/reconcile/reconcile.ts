/** What a job wants against what is there → what has to change. Pure; where things go is decided afterwards. */
import type { Allocation } from '../../model/allocation.ts';
import type { Deployment, DeploymentState } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { Node } from '../../model/node.ts';
import type { DesiredUpdates } from '../../model/plan-annotations.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { allocationText } from '../descriptions.ts';
import { isTerminal } from '../fit.ts';
import type { Plan } from '../scheduler.ts';
import { classify, isLostWhileStopping } from './classify.ts';
import { type DeploymentScope, deploymentScope, newDeployment } from './deployments.ts';
import { reconcileGroup } from './reconcile-group.ts';

export type UpdateKind = 'none' | 'in-place' | 'destructive';

export interface ReconcileInput {
  /** `undefined`: purged. */
  readonly job: Job | undefined;
  readonly allocations: readonly Allocation[];
  readonly latestDeployment: Deployment | undefined;
  readonly evaluationId: string;
  readonly priority: number;
  /** Unix nanoseconds. */
  readonly now: number;
  nodeOf(id: string): Node | undefined;
  /** What it takes to bring an allocation to the job's version. */
  updateKind(allocation: Allocation, group: TaskGroup): UpdateKind;
  isAwaited(evaluationId: string): boolean;
  newId(): string;
}

export interface Stop {
  readonly allocation: Allocation;
  readonly description: string;
  readonly lost: boolean;
}

export interface Place {
  readonly name: string;
  readonly group: TaskGroup;
  readonly previous: Allocation | null;
  /** `update` and `reschedule` stop the previous one once there is a place for the new one; the others do so anyhow. */
  readonly kind: 'new' | 'lost' | 'migrate' | 'reschedule' | 'update';
}

export interface Later {
  readonly allocation: Allocation;
  /** Unix nanoseconds. */
  readonly at: number;
}

export interface GroupChanges {
  readonly stops: readonly Stop[];
  readonly places: readonly Place[];
  readonly inPlace: readonly Allocation[];
  readonly later: readonly Later[];
  readonly desired: DesiredUpdates;
  /** The group's part of a deployment that has to be made. */
  readonly deploymentState: DeploymentState | null;
}

export interface Reconciled {
  readonly stops: readonly Stop[];
  readonly places: readonly Place[];
  readonly inPlace: readonly Allocation[];
  readonly later: readonly Later[];
  readonly desired: { readonly [group: string]: DesiredUpdates };
  readonly newDeployment: Deployment | null;
  /** The one that placements belong to: the new one, or the one going on. */
  readonly deployment: Deployment | null;
  readonly deploymentUpdates: Plan['deploymentUpdates'];
}

export const noUpdates: DesiredUpdates = {
  Ignore: 0,
  Place: 0,
  Migrate: 0,
  Stop: 0,
  InPlaceUpdate: 0,
  DestructiveUpdate: 0,
  Canary: 0,
  Preemptions: 0,
  Disconnect: 0,
  Reconnect: 0,
  RescheduleNow: 0,
  RescheduleLater: 0,
};

export function reconcile(input: ReconcileInput): Reconciled {
  const { job, allocations } = input;
  const scope = deploymentScope(job, input.latestDeployment);
  const byGroup = new Map<string, Allocation[]>((job?.TaskGroups ?? []).map((group) => [group.Name, []]));
  for (const allocation of allocations) {
    const peers = byGroup.get(allocation.TaskGroup);
    if (peers === undefined) byGroup.set(allocation.TaskGroup, [allocation]);
    else peers.push(allocation);
  }
  const changes = new Map<string, GroupChanges>();
  for (const [name, members] of byGroup) {
    const group = job === undefined || job.Stop ? undefined : job.TaskGroups.find((each) => each.Name === name);
    changes.set(
      name,
      group === undefined ? stopGroup(members, input) : reconcileGroup(job!, group, members, input, scope),
    );
  }
  return combine(input, scope, changes);
}

function stopGroup(members: readonly Allocation[], { nodeOf }: ReconcileInput): GroupChanges {
  const { untainted, migrate, lost } = classify(
    members.filter((allocation) => !isTerminal(allocation)),
    nodeOf,
  );
  const stops = [
    ...[...untainted, ...migrate].map((allocation) => ({
      allocation,
      description: allocationText.notNeeded,
      lost: false,
    })),
    ...lost.map((allocation) => ({ allocation, description: allocationText.lost, lost: true })),
  ];
  const desired = { ...noUpdates, Stop: stops.length };
  return { stops, places: [], inPlace: [], later: [], desired, deploymentState: null };
}

function combine(
  input: ReconcileInput,
  scope: DeploymentScope,
  changes: ReadonlyMap<string, GroupChanges>,
): Reconciled {
  const all = [...changes.values()];
  const states = [...changes].flatMap(([name, { deploymentState }]) =>
    deploymentState === null ? [] : [[name, deploymentState] as const],
  );
  const made =
    states.length === 0 || scope.current !== null
      ? null
      : newDeployment(input.newId(), input.job!, Object.fromEntries(states), input.priority, input.now);
  const lostWhileStopping = input.allocations.filter((allocation) => isLostWhileStopping(allocation, input.nodeOf));
  return {
    stops: [
      ...all.flatMap(({ stops }) => stops),
      ...lostWhileStopping.map((allocation) => ({ allocation, description: allocationText.lost, lost: true })),
    ],
    places: all.flatMap(({ places }) => places),
    inPlace: all.flatMap(({ inPlace }) => inPlace),
    later: all.flatMap(({ later }) => later),
    desired: Object.fromEntries([...changes].map(([name, { desired }]) => [name, desired])),
    newDeployment: made,
    deployment: made ?? scope.current,
    deploymentUpdates: scope.updates,
  };
}
