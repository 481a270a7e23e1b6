/** The server's tables. Ids: a job is `jobId(namespace, id)`, a job version `jobVersionId(...)`, the others their own ID or Name. */
import type { Allocation } from '../model/allocation.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import type { JobSubmission } from '../model/job-submission.ts';
import type { JobSummary } from '../model/job-summary.ts';
import type { Namespace } from '../model/namespace.ts';
import type { Node } from '../model/node.ts';
import type { NodePool } from '../model/node-pool.ts';
import type { SchedulerConfiguration } from '../model/scheduler-configuration.ts';
import type { Snapshot, Store, TableSpecs } from './store.ts';

export interface ServerTables {
  readonly jobs: Job;
  /** The versions kept of each job, and those that allocations still refer to. */
  readonly jobVersions: Job;
  readonly jobSubmissions: JobSubmission;
  readonly jobSummaries: JobSummary;
  /** Stored with `Job: null`; see `allocationJob`. */
  readonly allocations: Allocation;
  readonly evaluations: Evaluation;
  readonly deployments: Deployment;
  readonly nodes: Node;
  readonly nodePools: NodePool;
  readonly namespaces: Namespace;
  readonly schedulerConfiguration: SchedulerConfiguration;
}

export type ServerSnapshot = Snapshot<ServerTables>;
export type ServerStore = Store<ServerTables>;

export const serverTables: TableSpecs<ServerTables> = {
  jobs: {},
  jobVersions: { indexes: { job: (job) => [jobId(job.Namespace, job.ID)] } },
  jobSubmissions: { indexes: { job: (submission) => [jobId(submission.Namespace, submission.JobID)] } },
  jobSummaries: {},
  allocations: {
    indexes: {
      job: (allocation) => [jobId(allocation.Namespace, allocation.JobID)],
      node: (allocation) => [allocation.NodeID],
      evaluation: (allocation) => [allocation.EvalID],
      deployment: (allocation) => (allocation.DeploymentID === '' ? [] : [allocation.DeploymentID]),
    },
  },
  evaluations: {
    indexes: {
      job: (evaluation) => [jobId(evaluation.Namespace, evaluation.JobID)],
      status: (evaluation) => [evaluation.Status],
    },
  },
  deployments: { indexes: { job: (deployment) => [jobId(deployment.Namespace, deployment.JobID)] } },
  nodes: {},
  nodePools: {},
  namespaces: {},
  schedulerConfiguration: {},
};

/** The job version an allocation runs. */
export function allocationJob(snapshot: ServerSnapshot, allocation: Allocation): Job | null {
  return (
    allocation.Job ??
    snapshot.get('jobVersions', jobVersionId(allocation.Namespace, allocation.JobID, allocation.JobVersion)) ??
    null
  );
}
