import type { Job } from '../model/job.ts';
import type { JobExplanation } from '../model/job-explanation.ts';
import { explain } from './explain.ts';
import { explainTask } from './explain-isolation.ts';
import { demandedFloor, floorOn } from './feasible/isolation.ts';
import type { ServerSnapshot } from './snapshot.ts';

/** Every group on every node: each reason why not, and for each task the rung it would get. */
export function explainJob(snapshot: ServerSnapshot, job: Job): JobExplanation {
  const namespace = snapshot.get('namespaces', job.Namespace);
  return {
    JobID: job.ID,
    Namespace: job.Namespace,
    Groups: job.TaskGroups.map((group) => ({
      Name: group.Name,
      Nodes: explain(snapshot, job, group).map(({ nodeId, nodeName, reasons }) => {
        const node = snapshot.get('nodes', nodeId);
        return {
          NodeID: nodeId,
          NodeName: nodeName,
          Reasons: reasons.map(({ kind, text }) => ({ Kind: kind, Text: text })),
          Tasks:
            node === undefined
              ? []
              : group.Tasks.map((task) =>
                  explainTask(node, group, task, floorOn(node, demandedFloor(job, group, task, namespace))),
                ),
        };
      }),
    })),
  };
}
