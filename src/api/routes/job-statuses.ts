/** How jobs are doing, with their allocations and latest deployments: what an overview of many jobs shows, in one answer. */
import type { Allocation } from '../../model/allocation.ts';
import type { Deployment } from '../../model/deployment.ts';
import { Job } from '../../model/job.ts';
import { jobId } from '../../model/job-id.ts';
import { isParentJob } from '../../model/parent-job.ts';
import { bool, list, noun, nullable, object, string } from '../../model/schema.ts';
import { isActive } from '../../server/job-status.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { decodeOptionalBody } from '../body.ts';
import type { Order } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import type { Route } from '../route.ts';
import { shapeOf } from '../visible.ts';

const NamespacedId = noun('NamespacedID', { ID: string(), Namespace: string() });
const JobStatusesRequest = noun('JobStatusesRequest', {
  Jobs: nullable(list(object(NamespacedId))),
  IncludeChildren: bool(),
});

/** What changed last comes first; a token is an index. */
const lastChangedFirst: Order<Job> = {
  token: (job) => String(job.ModifyIndex),
  compare: (job, token) => Number(token) - job.ModifyIndex,
  byCreation: false,
};

function rows(snapshot: ServerSnapshot, { namespace }: ApiRequest): readonly Job[] {
  const jobs = [...snapshot.scan('jobs', namespace === '*' ? {} : { prefix: jobId(namespace, '') })];
  return jobs.sort((a, b) => b.ModifyIndex - a.ModifyIndex);
}

/** The jobs that the body names; without one all, but for those that others launched. */
function admits(request: ApiRequest): (job: Job) => boolean {
  const body = decodeOptionalBody(request, JobStatusesRequest);
  const withChildren = (body.IncludeChildren ?? false) || request.query.boolean('include_children');
  const named = new Set((body.Jobs ?? []).map((job) => jobId(job?.Namespace || 'default', job?.ID ?? '')));
  if (named.size > 0) return (job) => named.has(jobId(job.Namespace, job.ID));
  return (job) => withChildren || job.ParentID === '';
}

function statusOf(snapshot: ServerSnapshot, job: Job): object {
  const key = jobId(job.Namespace, job.ID);
  const allocations = [...snapshot.by('allocations', 'job', key)];
  return {
    Allocs: allocations.length === 0 ? null : allocations.map(allocationStatus),
    ChildStatuses: childStatuses(snapshot, job),
    Datacenters: job.Datacenters,
    GroupCountSum: (job.TaskGroups ?? []).reduce((sum, group) => sum + group.Count, 0),
    ID: job.ID,
    IsPack: job.Meta?.['pack.name'] !== undefined,
    LatestDeployment: deploymentStatus([...snapshot.by('deployments', 'job', key)]),
    ModifyIndex: job.ModifyIndex,
    Name: job.Name,
    Namespace: job.Namespace,
    NodePool: job.NodePool,
    ParentID: job.ParentID,
    Priority: job.Priority,
    Status: job.Status,
    Stop: job.Stop,
    SubmitTime: job.SubmitTime,
    Type: job.Type,
    Version: job.Version,
  };
}

const allocationStatus = (allocation: Allocation): object => ({
  ClientStatus: allocation.ClientStatus,
  DeploymentStatus: {
    Canary: allocation.DeploymentStatus?.Canary ?? false,
    Healthy: allocation.DeploymentStatus?.Healthy ?? null,
  },
  FollowupEvalID: allocation.FollowupEvalID,
  Group: allocation.TaskGroup,
  HasPausedTask: false,
  ID: allocation.ID,
  JobVersion: allocation.JobVersion,
  NodeID: allocation.NodeID,
});

/** Of the jobs that a periodic or parameterized job launched; null for any other. */
function childStatuses(snapshot: ServerSnapshot, job: Job): readonly string[] | null {
  if (!isParentJob(job)) return null;
  const launched = snapshot.scan('jobs', { prefix: jobId(job.Namespace, `${job.ID}/`) });
  return [...launched].filter(({ ParentID }) => ParentID === job.ID).map(({ Status }) => Status);
}

function deploymentStatus(deployments: readonly Deployment[]): object | null {
  const latest = [...deployments].sort((a, b) => b.CreateIndex - a.CreateIndex)[0];
  if (latest === undefined) return null;
  const groups = latest.Status === 'running' ? Object.values(latest.TaskGroups ?? {}) : [];
  const withCanaries = groups.filter(({ DesiredCanaries }) => DesiredCanaries > 0);
  return {
    AllAutoPromote: groups.length > 0 && withCanaries.every(({ AutoPromote }) => AutoPromote),
    ID: latest.ID,
    IsActive: isActive(latest),
    JobVersion: latest.JobVersion,
    RequiresPromotion: withCanaries.some(({ Promoted }) => !Promoted),
    Status: latest.Status,
    StatusDescription: latest.StatusDescription,
  };
}

export const jobStatusRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: ['GET', 'POST'],
    path: '/v1/jobs/statuses',
    access: { capability: 'list-jobs', scope: 'each-row' },
    tables: ['jobs', 'allocations', 'deployments'],
    list: {
      rows,
      order: lastChangedFirst,
      admits,
      namespaceOf: (job: Job) => job.Namespace,
      filterShape: shapeOf(Job),
      stub: (_request, snapshot) => (job) => statusOf(snapshot, job),
    },
  },
];
