/**
 * A job's status and its summary follow from its allocations, evaluations and deployment. They are kept in the same write as these, so
 * that no reader ever sees one without the other.
 */

import type { Allocation } from '../model/allocation.ts';
import { fill } from '../model/fill.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import { JobSummary, TaskGroupSummary } from '../model/job-summary.ts';
import { isParentJob } from '../model/parent-job.ts';
import type { ServerTables } from '../state/server-tables.ts';
import type { Draft } from './draft.ts';

type Counts = { -readonly [count in keyof TaskGroupSummary]: number };
type Groups = { [group: string]: Counts };

/** Brings summary and status of every job up to date that the draft's rows concern. */
export function keepJobStatus(draft: Draft): void {
  for (const key of concerned(draft)) {
    keepSummary(draft, key);
    keepStatus(draft, key);
  }
  for (const key of draft.changed('jobs').keys()) keepChildren(draft, key);
}

const childCounts: { readonly [status: string]: 'Pending' | 'Running' | 'Dead' } = {
  pending: 'Pending',
  running: 'Running',
  dead: 'Dead',
};

/** A job that was made of another is counted there. What is taken away stays counted among the dead. */
function keepChildren(draft: Draft, key: string): void {
  const before = draft.head.get('jobs', key);
  const job = draft.get('jobs', key);
  const { Namespace = '', ParentID = '' } = job ?? before ?? {};
  const summary = ParentID === '' ? undefined : draft.get('jobSummaries', jobId(Namespace, ParentID));
  const left = childCounts[before?.Status ?? ''];
  const entered = childCounts[job?.Status ?? 'dead'];
  if (summary === undefined || left === entered) return;
  const counts = { Pending: 0, Running: 0, Dead: 0, ...summary.Children };
  if (left !== undefined) counts[left] = Math.max(0, counts[left] - 1);
  if (entered !== undefined) counts[entered] += 1;
  draft.put('jobSummaries', { ...summary, Children: counts, ModifyIndex: draft.index });
}

function concerned(draft: Draft): ReadonlySet<string> {
  const keys = new Set<string>();
  const add = (row: { readonly Namespace: string; readonly JobID: string } | null | undefined): void => {
    if (row) keys.add(jobId(row.Namespace, row.JobID));
  };
  for (const row of draft.changed('allocations').values()) add(row);
  for (const row of draft.changed('deployments').values()) add(row);
  for (const [id, row] of draft.changed('evaluations')) add(row ?? draft.head.get('evaluations', id));
  for (const [key, row] of draft.changed('jobs')) if (row !== null) keys.add(key);
  return keys;
}

function keepSummary(draft: Draft, key: string): void {
  const job = draft.get('jobs', key);
  const before = draft.get('jobSummaries', key);
  if (job === undefined && before === undefined) return;
  const groups: Groups = {};
  for (const [name, counts] of Object.entries(before?.Summary ?? {})) groups[name] = { ...counts };
  for (const group of job?.TaskGroups ?? []) groups[group.Name] ??= fill(TaskGroupSummary, {});
  for (const [id, row] of draft.changed('allocations')) {
    if (row !== null && jobId(row.Namespace, row.JobID) === key)
      countAllocation(groups, draft.head.get('allocations', id), row);
  }
  for (const row of draft.changed('evaluations').values()) {
    if (row === null || jobId(row.Namespace, row.JobID) !== key) continue;
    for (const [group, queued] of Object.entries(row.QueuedAllocations ?? {})) {
      if (groups[group] !== undefined) groups[group].Queued = queued;
    }
  }
  if (before !== undefined && JSON.stringify(groups) === JSON.stringify(before.Summary)) return;
  const [namespace, id] = key.split('\u0000') as [string, string];
  draft.put('jobSummaries', {
    JobID: id,
    Namespace: namespace,
    Summary: groups,
    Children: before === undefined ? { Pending: 0, Running: 0, Dead: 0 } : before.Children,
    CreateIndex: before?.CreateIndex ?? draft.index,
    ModifyIndex: draft.index,
  });
}

const counted: { readonly [status: string]: keyof TaskGroupSummary } = {
  pending: 'Starting',
  running: 'Running',
  complete: 'Complete',
  failed: 'Failed',
  lost: 'Lost',
  unknown: 'Unknown',
};

/** Only what still goes on is taken away again: what ended stays counted after it is cleaned up. */
function countAllocation(groups: Groups, before: Allocation | undefined, now: Allocation): void {
  const counts = groups[now.TaskGroup];
  if (counts === undefined || before?.ClientStatus === now.ClientStatus) return;
  const left = before === undefined ? undefined : counted[before.ClientStatus];
  if (left === 'Starting' || left === 'Running' || left === 'Unknown') counts[left] = Math.max(0, counts[left] - 1);
  const entered = counted[now.ClientStatus];
  if (entered !== undefined) counts[entered] += 1;
  if (before === undefined && now.ClientStatus === 'pending') counts.Queued = Math.max(0, counts.Queued - 1);
}

function keepStatus(draft: Draft, key: string): void {
  const job = draft.get('jobs', key);
  if (job === undefined) return;
  const status = jobStatus(draft, key, job);
  if (status === job.Status) return;
  const changed = { ...job, Status: status, ModifyIndex: draft.index };
  draft.put('jobs', changed);
  draft.put('jobVersions', changed);
}

function jobStatus(draft: Draft, key: string, job: Job): string {
  if (job.Type === 'system' || isParentJob(job)) return job.Stop ? 'dead' : 'running';
  const groups = Object.values(draft.get('jobSummaries', key)?.Summary ?? {});
  if (groups.some((counts) => counts.Starting + counts.Running + counts.Unknown > 0)) return 'running';
  if (hasActiveDeployment(draft, key)) return 'running';
  for (const _ of draft.by('evaluations', 'jobOpen', key)) return 'pending';
  // A new job of which nothing is known yet has not begun; any other came to its end.
  return job.Status === '' ? 'pending' : 'dead';
}

function hasActiveDeployment(draft: Draft, key: string): boolean {
  for (const deployment of draft.by('deployments', 'job', key)) if (isActive(deployment)) return true;
  return false;
}

export function isActive(deployment: ServerTables['deployments']): boolean {
  return ['running', 'paused', 'blocked', 'unblocking', 'initializing', 'pending'].includes(deployment.Status);
}

/** All summaries counted anew from what there is, as the operator asks for it. Counts of what was cleaned up are lost. */
export function recountSummaries(draft: Draft): void {
  for (const job of draft.head.scan('jobs')) draft.put('jobSummaries', recountSummary(draft, job));
}

function recountSummary(draft: Draft, job: Job): JobSummary {
  const key = jobId(job.Namespace, job.ID);
  const before = draft.get('jobSummaries', key);
  const groups: Groups = {};
  for (const group of job.TaskGroups ?? []) groups[group.Name] = fill(TaskGroupSummary, {});
  for (const allocation of draft.by('allocations', 'job', key)) countAllocation(groups, undefined, allocation);
  for (const [name, counts] of Object.entries(groups)) counts.Queued = before?.Summary?.[name]?.Queued ?? 0;
  const isParent = isParentJob(job);
  return fill(JobSummary, {
    JobID: job.ID,
    Namespace: job.Namespace,
    Summary: groups,
    Children: isParent ? (before?.Children ?? { Pending: 0, Running: 0, Dead: 0 }) : null,
    CreateIndex: before?.CreateIndex ?? draft.index,
    ModifyIndex: draft.index,
  });
}
