import type { AllocatedResources } from '../model/allocated-resources.ts';
import type { Job } from '../model/job.ts';
import type { GroupExplanation, JobExplanation } from '../model/job-explanation.ts';
import type { Node } from '../model/node.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { explain, type NodeExplanation } from './explain.ts';
import { explainTask } from './explain-isolation.ts';
import { demandedFloor, floorOn } from './feasible/isolation.ts';
import type { ServerSnapshot } from './snapshot.ts';

/** A group on a node that would take one more allocation of it. */
export interface Place {
  readonly node: Node;
  readonly group: TaskGroup;
  readonly resources: AllocatedResources;
}

export interface ExplainedJob {
  /** What the nodes of `places` would refuse is not in it yet. */
  readonly explanation: JobExplanation;
  readonly places: readonly Place[];
}

const notPlaced = 'no allocation of the group is placed there';

/** Every group on every node: each reason why not, and for each task the rung it would get. */
export function explainJob(snapshot: ServerSnapshot, job: Job): ExplainedJob {
  const namespace = snapshot.get('namespaces', job.Namespace);
  const places: Place[] = [];
  const groupOn = (group: TaskGroup, explained: NodeExplanation): GroupExplanation['Nodes'][number] => {
    const { nodeId, nodeName, reasons, resources } = explained;
    const node = snapshot.get('nodes', nodeId);
    if (node !== undefined && resources !== null) places.push({ node, group, resources });
    const NotAsked = resources === null ? notPlaced : '';
    const tasks = node === undefined ? [] : group.Tasks;
    return {
      NodeID: nodeId,
      NodeName: nodeName,
      Reasons: reasons.map(({ kind, text }) => ({ Kind: kind, Text: text })),
      Tasks: tasks.map((task) => {
        const floor = floorOn(node!, demandedFloor(job, group, task, namespace));
        return { ...explainTask(node!, group, task, floor), Refusals: [], NotAsked };
      }),
    };
  };
  const Groups = job.TaskGroups.map((group) => ({
    Name: group.Name,
    Nodes: explain(snapshot, job, group).map((explained) => groupOn(group, explained)),
  }));
  return { explanation: { JobID: job.ID, Namespace: job.Namespace, Groups }, places };
}
