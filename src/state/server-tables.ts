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
import type { PeriodicLaunch } from '../model/periodic-launch.ts';
import type { JobScalingEvents } from '../model/scaling-event.ts';
import type { SchedulerConfiguration } from '../model/scheduler-configuration.ts';
import type { Snapshot, Store, TableSpecs } from './store.ts';

export interface ServerTables {
  readonly jobs: Job;
  /** The versions kept of each job, and those that allocations still refer to. */
  readonly jobVersions: Job;
  readonly jobSubmissions: JobSubmission;
  readonly jobSummaries: JobSummary;
  readonly scalingEvents: JobScalingEvents;
  /** Stored with `Job: null`; see `allocationJob`. */
  readonly allocations: Allocation;
  readonly evaluations: Evaluation;
  readonly deployments: Deployment;
  readonly nodes: Node;
  readonly nodePools: NodePool;
  readonly namespaces: Namespace;
  readonly schedulerConfiguration: SchedulerConfiguration;
  readonly periodicLaunches: PeriodicLaunch;
}

export type ServerSnapshot = Snapshot<ServerTables>;
export type ServerStore = Store<ServerTables>;

type ServerTableSpecs = TableSpecs<ServerTables> & {
  readonly [T in keyof ServerTables]: { readonly id: (row: ServerTables[T]) => string };
};

/** Secondary indexes that hold only what is not finished: small, however much history there is. */
const unfinished = (status: string): boolean => !['complete', 'failed', 'canceled'].includes(status);

export const serverTables: ServerTableSpecs = {
  jobs: { id: (job) => jobId(job.Namespace, job.ID) },
  jobVersions: {
    id: (job) => jobVersionId(job.Namespace, job.ID, job.Version),
    indexes: { job: (job) => [jobId(job.Namespace, job.ID)] },
  },
  jobSubmissions: {
    id: (submission) => jobVersionId(submission.Namespace, submission.JobID, submission.Version),
    indexes: { job: (submission) => [jobId(submission.Namespace, submission.JobID)] },
  },
  jobSummaries: { id: (summary) => jobId(summary.Namespace, summary.JobID) },
  scalingEvents: { id: (events) => jobId(events.Namespace, events.JobID) },
  allocations: {
    id: (allocation) => allocation.ID,
    indexes: {
      job: (allocation) => [jobId(allocation.Namespace, allocation.JobID)],
      node: (allocation) => [allocation.NodeID],
      /** By node, without those that ended or are to stop: what takes up its resources. */
      nodeLive: (allocation) => (isLive(allocation) ? [allocation.NodeID] : []),
      evaluation: (allocation) => [allocation.EvalID],
      deployment: (allocation) => (allocation.DeploymentID === '' ? [] : [allocation.DeploymentID]),
    },
  },
  evaluations: {
    id: (evaluation) => evaluation.ID,
    indexes: {
      job: (evaluation) => [jobId(evaluation.Namespace, evaluation.JobID)],
      /** By job, without the finished ones. */
      jobOpen: (evaluation) => (unfinished(evaluation.Status) ? [jobId(evaluation.Namespace, evaluation.JobID)] : []),
      status: (evaluation) => [evaluation.Status],
    },
  },
  deployments: {
    id: (deployment) => deployment.ID,
    indexes: {
      job: (deployment) => [jobId(deployment.Namespace, deployment.JobID)],
      status: (deployment) => [deployment.Status],
    },
  },
  nodes: { id: (node) => node.ID },
  nodePools: { id: (pool) => pool.Name },
  namespaces: { id: (namespace) => namespace.Name },
  schedulerConfiguration: { id: () => 'scheduler' },
  periodicLaunches: { id: (launch) => jobId(launch.Namespace, launch.ID) },
};

function isLive(allocation: Allocation): boolean {
  return allocation.DesiredStatus === 'run' && !['complete', 'failed', 'lost'].includes(allocation.ClientStatus);
}

/** The job version an allocation runs. */
export function allocationJob(snapshot: Pick<ServerSnapshot, 'get'>, allocation: Allocation): Job | null {
  return (
    allocation.Job ??
    snapshot.get('jobVersions', jobVersionId(allocation.Namespace, allocation.JobID, allocation.JobVersion)) ??
    null
  );
}
