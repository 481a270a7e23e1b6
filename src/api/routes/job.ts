import { Fault } from '../../lib/fault.ts';
import { Deployment } from '../../model/deployment.ts';
import { Evaluation } from '../../model/evaluation.ts';
import type { Job } from '../../model/job.ts';
import type { JobDiff } from '../../model/job-diff.ts';
import { diffJobs } from '../../model/job-diff-make.ts';
import { jobId } from '../../model/job-id.ts';
import type { ServerSnapshot, ServerTables } from '../../state/server-tables.ts';
import { tablesIndex } from '../blocking.ts';
import { newestFirst } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type ReadRoute, type Route, readMethods } from '../route.ts';
import { rowAnswer, withState } from '../shared-answers.ts';
import { shapeOf, visibleForm } from '../visible.ts';
import { allocationForm, allocationStub, jobOfAllocation } from './allocations.ts';

const readJob = { capability: 'read-job', scope: 'query' } as const;
const visibleEvaluation = visibleForm(Evaluation);

function jobKey({ namespace, params }: ApiRequest): string {
  return jobId(namespace, params['id'] ?? '');
}

/** A read of one job: its rows are watched, not all jobs. */
function jobRead(suffix: string, tables: readonly (keyof ServerTables)[], read: ReadRoute['read']): ReadRoute {
  return { kind: 'read', methods: readMethods, path: `/v1/job/{id}${suffix}`, access: readJob, tables, read };
}

function versionsNewestFirst(snapshot: ServerSnapshot, request: ApiRequest): readonly Job[] {
  return [...snapshot.by('jobVersions', 'job', jobKey(request))].reverse();
}

/** Each version against the one before it, or all others against the one asked for. */
function versionDiffs(versions: readonly Job[], { query }: ApiRequest): readonly JobDiff[] {
  const tag = query.text('diff_tag');
  const number = query.text('diff_version');
  if (tag === '' && number === '')
    return versions.slice(0, -1).map((job, at) => diffJobs(versions[at + 1]!, job, true));
  const against = versions.find((job) => (tag === '' ? String(job.Version) === number : job.VersionTag?.Name === tag));
  if (against === undefined) {
    const what = tag === '' ? `version ${number}` : `tag ${JSON.stringify(tag)}`;
    throw new Fault('not_found', `${what} not found`, { status: 500 });
  }
  return versions.filter((job) => job !== against).map((job) => diffJobs(against, job, true));
}

function readVersions(snapshot: ServerSnapshot, request: ApiRequest) {
  const { query } = request;
  const withDiffs = query.boolean('diffs');
  const versions = versionsNewestFirst(snapshot, request);
  const job = snapshot.get('jobs', jobKey(request));
  const index = job?.ModifyIndex ?? tablesIndex(snapshot, ['jobs', 'jobVersions']);
  if (versions.length === 0) return { index, absent: 'job versions not found' };
  return {
    index,
    value: withState({ Versions: versions, Diffs: withDiffs ? versionDiffs(versions, request) : null }, index, true),
  };
}

function readSubmission(snapshot: ServerSnapshot, request: ApiRequest) {
  const text = request.query.text('version');
  if (!/^\d+$/.test(text)) throw new Fault('invalid', 'Unable to parse job submission version parameter');
  const found = [...snapshot.by('jobSubmissions', 'job', jobKey(request))].find(
    (each) => each.Version === Number(text),
  );
  const index = tablesIndex(snapshot, ['jobSubmissions']);
  return found === undefined ? { index, absent: 'job source not found' } : { index, value: found };
}

function readLatestDeployment(snapshot: ServerSnapshot, request: ApiRequest) {
  let latest: Deployment | undefined;
  for (const deployment of snapshot.by('deployments', 'job', jobKey(request)))
    if (latest === undefined || deployment.CreateIndex > latest.CreateIndex) latest = deployment;
  return { index: latest?.ModifyIndex ?? tablesIndex(snapshot, ['deployments']), value: latest ?? null };
}

function readScale(snapshot: ServerSnapshot, request: ApiRequest) {
  const job = snapshot.get('jobs', jobKey(request));
  if (job === undefined) return { index: tablesIndex(snapshot, ['jobs']), absent: 'job not found' };
  const allocations = [...snapshot.by('allocations', 'job', jobKey(request))];
  const events = snapshot.get('scalingEvents', jobKey(request))?.ScalingEvents ?? {};
  const groups = (job.TaskGroups ?? []).map((group) => {
    const mine = allocations.filter((each) => each.TaskGroup === group.Name && each.ClientStatus !== 'failed');
    const live = mine.filter(
      (each) => each.DesiredStatus === 'run' && ['pending', 'running'].includes(each.ClientStatus),
    );
    const status = {
      Desired: group.Count,
      Placed: live.length,
      Running: live.filter((each) => each.ClientStatus === 'running').length,
      Healthy: live.filter((each) => each.DeploymentStatus?.Healthy === true).length,
      Unhealthy: live.filter((each) => each.DeploymentStatus?.Healthy === false).length,
      Events: events[group.Name] ?? null,
    };
    return [group.Name, status] as const;
  });
  const value = {
    JobID: job.ID,
    Namespace: job.Namespace,
    JobCreateIndex: job.CreateIndex,
    JobModifyIndex: job.JobModifyIndex,
    JobStopped: job.Stop,
    TaskGroups: Object.fromEntries(groups),
  };
  return { index: job.ModifyIndex, value };
}

function readActions(snapshot: ServerSnapshot, request: ApiRequest) {
  const job = snapshot.get('jobs', jobKey(request));
  const actions = (job?.TaskGroups ?? []).flatMap((group) =>
    (group.Tasks ?? []).flatMap((task) =>
      (task.Actions ?? []).map((action) => ({
        Name: action.Name,
        Command: action.Command,
        Args: action.Args,
        TaskName: task.Name,
        TaskGroupName: group.Name,
      })),
    ),
  );
  // the reference tells no index here
  return { index: 0, value: actions, knownLeader: false };
}

export const jobReadRoutes: readonly Route[] = [
  {
    ...jobRead('', ['jobs'], (snapshot, request) =>
      rowAnswer(snapshot, ['jobs'], snapshot.get('jobs', jobKey(request)), 'job not found'),
    ),
    rows: (request) => [{ table: 'jobs', id: jobKey(request) }],
  },
  {
    ...jobRead('/summary', ['jobSummaries'], (snapshot, request) =>
      rowAnswer(snapshot, ['jobSummaries'], snapshot.get('jobSummaries', jobKey(request)), 'job not found'),
    ),
    rows: (request) => [{ table: 'jobSummaries', id: jobKey(request) }],
  },
  jobRead('/versions', ['jobs', 'jobVersions'], readVersions),
  jobRead('/submission', ['jobSubmissions'], readSubmission),
  jobRead('/deployment', ['deployments'], readLatestDeployment),
  jobRead('/actions', ['jobs'], readActions),
  {
    ...jobRead('/scale', ['jobs', 'allocations', 'scalingEvents'], readScale),
    access: { capability: 'read-job-scaling', scope: 'query' },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/job/{id}/allocations',
    access: readJob,
    tables: ['allocations'],
    list: {
      rows: (snapshot, request) => snapshot.by('allocations', 'job', jobKey(request)),
      order: newestFirst,
      paged: false,
      admits: (request, snapshot) => {
        const job = snapshot.get('jobs', jobKey(request));
        if (request.query.boolean('all') || job === undefined) return undefined;
        // those of an earlier job of the same name are another job's
        return (row) => (jobOfAllocation(snapshot, row)?.CreateIndex ?? job.CreateIndex) === job.CreateIndex;
      },
      ...allocationForm,
      stub: allocationStub,
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/job/{id}/evaluations',
    access: readJob,
    tables: ['evaluations'],
    list: {
      rows: (snapshot, request) => snapshot.by('evaluations', 'job', jobKey(request)),
      order: newestFirst,
      paged: false,
      filterShape: shapeOf(Evaluation),
      stub: () => visibleEvaluation,
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/job/{id}/deployments',
    access: readJob,
    tables: ['deployments'],
    list: {
      rows: (snapshot, request) => snapshot.by('deployments', 'job', jobKey(request)),
      order: newestFirst,
      paged: false,
      filterShape: shapeOf(Deployment),
      stub: () => (deployment) => deployment,
    },
  },
];
