/** A system job wants one allocation of each group on every node that will do; a sysbatch job wants each to have run there once. */
import type { Allocation } from '../../model/allocation.ts';
import type { Job } from '../../model/job.ts';
import type { Node } from '../../model/node.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { allocationText } from '../descriptions.ts';
import { isTerminal } from '../fit.ts';
import type { Stop, UpdateKind } from './changes.ts';
import { isLostWhileStopping, isNodeLost, ranSuccessfully } from './classify.ts';

export interface SystemPlace {
  readonly node: Node;
  readonly group: TaskGroup;
  readonly previous: Allocation | null;
}

export interface SystemChanges {
  readonly stops: readonly Stop[];
  readonly migrate: readonly Stop[];
  readonly places: readonly SystemPlace[];
  readonly updates: readonly SystemPlace[];
  readonly inPlace: readonly Allocation[];
  readonly ignored: readonly Allocation[];
}

export interface SystemInput {
  readonly job: Job | undefined;
  readonly allocations: readonly Allocation[];
  /** The nodes that take new work. */
  readonly nodes: readonly Node[];
  nodeOf(id: string): Node | undefined;
  updateKind(allocation: Allocation, group: TaskGroup): UpdateKind;
  /** The job may run on the node at all. */
  mayRun(node: Node, group: TaskGroup): boolean;
}

interface Draft {
  readonly stops: Stop[];
  readonly migrate: Stop[];
  readonly places: SystemPlace[];
  readonly updates: SystemPlace[];
  readonly inPlace: Allocation[];
  readonly ignored: Allocation[];
}

export function reconcileSystem(input: SystemInput): SystemChanges {
  const { job, nodeOf } = input;
  const draft: Draft = { stops: [], migrate: [], places: [], updates: [], inPlace: [], ignored: [] };
  const groups = job === undefined || job.Stop ? [] : job.TaskGroups.filter((group) => group.Count > 0);
  const wanted = new Map(groups.map((group) => [group.Name, group]));
  const byPlace = new Map<string, Allocation[]>();
  for (const allocation of input.allocations) {
    const group = wanted.get(allocation.TaskGroup);
    if (isLostWhileStopping(allocation, nodeOf)) draft.stops.push(stop(allocation, allocationText.lost, true));
    else if (group === undefined) {
      if (!isTerminal(allocation)) draft.stops.push(unwanted(allocation, nodeOf));
    } else {
      const key = placeKey(allocation.NodeID, group);
      const peers = byPlace.get(key);
      if (peers === undefined) byPlace.set(key, [allocation]);
      else peers.push(allocation);
    }
  }
  const ready = new Map(input.nodes.map((node) => [node.ID, node]));
  for (const group of groups) {
    for (const node of input.nodes) {
      reconcilePlace(input, draft, group, node, byPlace.get(placeKey(node.ID, group)) ?? []);
      byPlace.delete(placeKey(node.ID, group));
    }
  }
  for (const allocations of byPlace.values())
    for (const allocation of allocations) leave(input, draft, allocation, ready);
  return draft;
}

const placeKey = (nodeId: string, group: TaskGroup): string => `${nodeId}\u0000${group.Name}`;

const stop = (allocation: Allocation, description: string, lost = false): Stop => ({ allocation, description, lost });

function unwanted(allocation: Allocation, nodeOf: (id: string) => Node | undefined): Stop {
  return isNodeLost(nodeOf(allocation.NodeID))
    ? stop(allocation, allocationText.lost, true)
    : stop(allocation, allocationText.notNeeded);
}

/** One group on one node that takes new work. */
function reconcilePlace(
  input: SystemInput,
  draft: Draft,
  group: TaskGroup,
  node: Node,
  there: readonly Allocation[],
): void {
  const live = there.filter((allocation) => !isTerminal(allocation)).sort((a, b) => b.CreateIndex - a.CreateIndex);
  for (const double of live.slice(1)) draft.stops.push(stop(double, allocationText.notNeeded));
  const [current] = live;
  const job = input.job!;
  if (current === undefined) {
    const last = [...there].sort((a, b) => b.CreateIndex - a.CreateIndex)[0];
    if (last !== undefined && isDone(job, last)) draft.ignored.push(last);
    else draft.places.push({ node, group, previous: last ?? null });
    return;
  }
  if (current.DesiredTransition.Migrate || current.DesiredTransition.ForceReschedule) {
    draft.migrate.push(stop(current, allocationText.migrating));
    draft.places.push({ node, group, previous: current });
    return;
  }
  const kind = input.updateKind(current, group);
  if (kind === 'none') draft.ignored.push(current);
  else if (kind === 'in-place') draft.inPlace.push(current);
  else if (!input.mayRun(node, group)) draft.stops.push(stop(current, allocationText.notNeeded));
  else draft.updates.push({ node, group, previous: current });
}

/** A sysbatch job is not run twice on a node, whether it did well or not; a new version of it is. */
function isDone(job: Job, last: Allocation): boolean {
  if (job.Type !== 'sysbatch' || last.JobVersion !== job.Version || last.CreateIndex < job.CreateIndex) return false;
  return last.DesiredStatus === 'run' ? last.ClientStatus !== 'lost' : ranSuccessfully(last);
}

/** On a node that takes no new work: it stays while the node lets it. */
function leave(
  { job, nodeOf }: SystemInput,
  draft: Draft,
  allocation: Allocation,
  ready: ReadonlyMap<string, Node>,
): void {
  if (isTerminal(allocation)) return;
  const node = nodeOf(allocation.NodeID);
  if (isNodeLost(node)) draft.stops.push(stop(allocation, allocationText.lost, true));
  else if (allocation.DesiredTransition.Migrate) draft.migrate.push(stop(allocation, allocationText.migrating));
  // It takes new work, but not this job's any more: another pool, another datacenter.
  else if (!ready.has(node!.ID) && isOpen(node!) && job !== undefined)
    draft.stops.push(stop(allocation, allocationText.notNeeded));
  else draft.ignored.push(allocation);
}

function isOpen(node: Node): boolean {
  return node.Status === 'ready' && node.SchedulingEligibility === 'eligible' && node.DrainStrategy === null;
}
