/** Every reason why a group of a job is not, or would not be, on each node: what people ask when something does not run. */
import type { AllocatedResources } from '../model/allocated-resources.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { Node } from '../model/node.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { distinctRules } from './feasible/distinct.ts';
import { missingDrivers, whichDriversAreMissing } from './feasible/drivers.ts';
import { groupRequirements } from './feasible/requirements.ts';
import { isTerminal } from './fit.ts';
import { JobPresence } from './job-presence.ts';
import { type NodeRoom, Rooms } from './node-room.ts';
import { isInDatacenters, isInPool, unavailability } from './node-set.ts';
import { oversubscribes } from './oversubscribes.ts';
import { type Ask, askOf, take, useOn } from './rank/ask.ts';
import type { ServerSnapshot } from './snapshot.ts';

export interface NodeExplanation {
  readonly nodeId: string;
  readonly nodeName: string;
  /** Empty: one more allocation of the group could be placed here now. */
  readonly reasons: readonly Reason[];
  /** What that would get; null: it could not be placed. */
  readonly resources: AllocatedResources | null;
}

export interface Reason {
  /** `node` – it takes no new work; `place` – wrong pool or datacenter; `filter` – it lacks something; `room` – it is full. */
  readonly kind: 'node' | 'place' | 'filter' | 'room';
  /** E.g. `node is down`, `${attr.kernel.name} = linux`, `memory exhausted`. */
  readonly text: string;
}

/** Nodes in the order of the state, those that will do too. */
export function explain(snapshot: ServerSnapshot, job: Job, group: TaskGroup): readonly NodeExplanation[] {
  const presence = new JobPresence();
  for (const allocation of snapshot.by('allocations', 'job', jobId(job.Namespace, job.ID))) {
    const node = isTerminal(allocation) ? undefined : snapshot.get('nodes', allocation.NodeID);
    if (node !== undefined) presence.add(allocation, node);
  }
  const requirements = groupRequirements(job, group, snapshot.get('namespaces', job.Namespace));
  const distinct = distinctRules(job, group, presence);
  const rooms = new Rooms(snapshot);
  const ask = askOf(group, oversubscribes(snapshot, job));
  const explanations: NodeExplanation[] = [];
  for (const node of snapshot.scan('nodes')) {
    const filters = [...requirements.map((each) => each.unmetBy(node)), ...distinct.map((rule) => rule(node))].map(
      (text) => (text === missingDrivers ? whichDriversAreMissing(node, group) : text),
    );
    const room = roomFor(ask, rooms.of(node));
    const reasons = [
      ...unavailability(node).map((text) => ({ kind: 'node' as const, text })),
      ...placeReasons(node, job),
      ...[...new Set(filters)].flatMap((text) => (text === undefined ? [] : [{ kind: 'filter' as const, text }])),
      ...('Shared' in room ? [] : room.map((dimension) => ({ kind: 'room' as const, text: roomText(dimension) }))),
    ];
    const resources = reasons.length === 0 && 'Shared' in room ? room : null;
    explanations.push({ nodeId: node.ID, nodeName: node.Name, reasons, resources });
  }
  return explanations;
}

function placeReasons(node: Node, job: Job): readonly Reason[] {
  const reasons: Reason[] = [];
  if (!isInPool(node, job.NodePool)) {
    reasons.push({ kind: 'place', text: `node pool "${node.NodePool}" is not the job's "${job.NodePool}"` });
  }
  if (!isInDatacenters(node, job.Datacenters)) {
    const wanted = job.Datacenters.map((name) => `"${name}"`).join(', ');
    reasons.push({ kind: 'place', text: `datacenter "${node.Datacenter}" is not among the job's: ${wanted}` });
  }
  return reasons;
}

/** What an allocation would get; else what there is too little of. */
function roomFor(ask: Ask, room: NodeRoom): AllocatedResources | readonly string[] {
  const use = useOn(ask, room);
  // Any number will do: only whether there is a free port matters, and the search for one looks at all.
  const taken = 'cpu' in use ? take(ask, room, () => 0) : use;
  return typeof taken === 'string' ? [taken] : taken;
}

const roomText = (dimension: string): string =>
  dimension.startsWith('network: ') ? dimension : `${dimension} exhausted`;
