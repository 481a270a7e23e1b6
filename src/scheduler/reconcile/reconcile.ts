/** What a job wants against what is there → what has to change. Pure; where things go is decided afterwards. */
import type { Allocation } from '../../model/allocation.ts';
import { allocationText } from '../descriptions.ts';
import { isTerminal } from '../fit.ts';
import { type GroupChanges, noUpdates, type Reconciled, type ReconcileInput } from './changes.ts';
import { classify, isLostWhileStopping } from './classify.ts';
import { type DeploymentScope, deploymentScope, newDeployment } from './deployments.ts';
import { reconcileGroup } from './reconcile-group.ts';

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
