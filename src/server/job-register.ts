import { Fault } from '../lib/fault.ts';
import { formatJson } from '../lib/json.ts';
import { canonicalJob } from '../model/canonical.ts';
import type { DriverConfigProblem } from '../model/driver-config-problem.ts';
import { fill } from '../model/fill.ts';
import type { Job } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { jobLimits } from '../model/job-limits.ts';
import { JobSubmission } from '../model/job-submission.ts';
import { formatErrors, formatWarnings, validateJob } from '../model/job-validate.ts';
import { validateInNamespace } from '../model/namespace-validate.ts';
import { notServed } from '../model/not-served.ts';
import { isParentJob } from '../model/parent-job.ts';
import type { ScalingPolicy } from '../model/scaling-policy.ts';
import type { Input } from '../model/schema.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { RegisterJob } from './commands.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { checkDriverConfigs, driverConfigText } from './driver-config.ts';
import { jobEvaluation, putEvaluation, putJobVersion, type Trigger } from './rows.ts';

/** What the API answers to whatever changes a job. `evalId` is empty where nothing is to be scheduled. */
export interface JobChange {
  readonly evalId: string;
  readonly evalCreateIndex: number;
  readonly jobModifyIndex: number;
  readonly index: number;
}

const maxSubmissionBytes = 1_000_000;
/** How many versions of a job are kept, besides those that are tagged or in use. */
export const trackedVersions = 6;

/** Canonical form and every problem at once. `Fault('invalid')`: it is too big to be looked at. */
export function checkJob(
  snapshot: ServerSnapshot,
  region: string,
  input: Input<Job>,
): {
  readonly job: Job;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Named among the warnings, too. */
  readonly driverConfig: readonly DriverConfigProblem[];
} {
  const limits = jobLimits(input);
  if (limits.length > 0) throw new Fault('invalid', formatErrors(limits), { status: 500 });
  const namespace = snapshot.get('namespaces', input.Namespace || 'default');
  const pool = namespace?.NodePoolConfiguration?.Default;
  const job = canonicalJob(input, { region, namespace: 'default', ...(pool && { nodePool: pool }) });
  const config = [...snapshot.scan('schedulerConfiguration')][0];
  const { errors, warnings } = validateJob(job, {
    memoryOversubscription: config?.MemoryOversubscriptionEnabled ?? false,
  });
  const pools = snapshot.get('nodePools', job.NodePool) !== undefined;
  const more = [
    ...(namespace === undefined
      ? [`job "${job.ID}" is in nonexistent namespace "${job.Namespace}"`]
      : validateInNamespace(job, namespace)),
    ...(pools ? [] : [`job "${job.ID}" is in nonexistent node pool "${job.NodePool}"`]),
  ];
  const driverConfig = checkDriverConfigs(snapshot, job);
  // they are accepted, for the nodes may be other ones by the time it is placed
  const doubts = driverConfig.map(driverConfigText);
  return { job, errors: [...errors, ...more], warnings: [...warnings, ...notServed(input), ...doubts], driverConfig };
}

/**
 * Checks, fills in, and stores a job; a changed one becomes a new version, evaluated. Faults: `invalid` with every problem, `conflict`
 * where `enforceIndex` meets another index.
 */
export async function registerJob(
  context: ServerContext,
  request: RegisterJob,
): Promise<JobChange & { readonly warnings: string }> {
  if (request.evalPriority !== 0 && (request.evalPriority < 1 || request.evalPriority > 100)) {
    throw new Fault('invalid', 'Eval priority must be between 1 and 100 inclusively', { status: 400 });
  }
  const { job, errors, warnings } = checkJob(context.store.snapshot(), context.region, request.job);
  if (errors.length > 0) throw new Fault('invalid', formatErrors(errors), { status: 500 });
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const before = draft.get('jobs', jobId(job.Namespace, job.ID));
    if (request.enforceIndex) enforceIndex(before, request.jobModifyIndex);
    const stored = storeJob(draft, preserved(job, before, request), context.newId);
    if (request.submission !== null && stored.Version !== before?.Version)
      keepSubmission(draft, stored, request.submission);
    return {
      ...evaluate(draft, stored, evalId, 'job-register', request.evalPriority),
      jobModifyIndex: stored.JobModifyIndex,
    };
  });
  return { ...result, index, warnings: formatWarnings(warnings) };
}

/** Texts that `nomad job run -check-index` reads. */
function enforceIndex(before: Job | undefined, expected: number): void {
  const conflict = (why: string): Fault =>
    new Fault('conflict', `Enforcing job modify index ${expected}: ${why}`, { status: 500 });
  if (before === undefined) {
    if (expected !== 0) throw conflict('job does not exist');
    return;
  }
  if (expected === 0) throw conflict('job already exists');
  if (expected !== before.JobModifyIndex) {
    throw conflict(`job exists with conflicting job modify index: ${before.JobModifyIndex}`);
  }
}

/** Counts and resources of groups that are there already stay, where the caller asks for it. */
function preserved(job: Job, before: Job | undefined, request: RegisterJob): Job {
  if (before === undefined || before.Stop || !(request.preserveCounts || request.preserveResources)) return job;
  const groups = job.TaskGroups.map((group) => {
    const old = before.TaskGroups.find((one) => one.Name === group.Name);
    if (old === undefined) return group;
    const counted = request.preserveCounts ? { ...group, Count: old.Count } : group;
    if (!request.preserveResources) return counted;
    const tasks = counted.Tasks.map((task) => {
      const same = old.Tasks.find((one) => one.Name === task.Name);
      return same === undefined ? task : { ...task, Resources: same.Resources };
    });
    return { ...counted, Tasks: tasks };
  });
  return { ...job, TaskGroups: groups };
}

/** The job as it is stored now: a new version where its spec changed, else the one that is there. */
export function storeJob(draft: Draft, job: Job, newId: () => string): Job {
  const key = jobId(job.Namespace, job.ID);
  const before = draft.get('jobs', key);
  if (before !== undefined && specOf(before) === specOf(job)) return before;
  const stored = putJobVersion(draft, {
    ...withPolicies(draft, job, before, newId),
    Version: before === undefined ? 0 : before.Version + 1,
    Stable: false,
    Status: before?.Status === 'running' ? 'running' : '',
    StatusDescription: '',
    VersionTag: null,
    SubmitTime: draft.now,
    CreateIndex: before?.CreateIndex ?? draft.index,
  });
  dropOldVersions(draft, key);
  return stored;
}

/** A scaling policy keeps its id as long as its group has one, and its index as long as it says the same. */
function withPolicies(draft: Draft, job: Job, before: Job | undefined, newId: () => string): Job {
  const groups = job.TaskGroups.map((group) => {
    if (group.Scaling === null) return group;
    const known = before?.TaskGroups.find((one) => one.Name === group.Name)?.Scaling;
    const same = known != null && formatJson(spokenPolicy(known)) === formatJson(spokenPolicy(group.Scaling));
    const policy = {
      ...group.Scaling,
      ID: known?.ID || newId(),
      CreateIndex: known?.CreateIndex || draft.index,
      ModifyIndex: same ? known.ModifyIndex : draft.index,
    };
    return { ...group, Scaling: policy };
  });
  return { ...job, TaskGroups: groups };
}

const spokenPolicy = (policy: ScalingPolicy): ScalingPolicy => ({ ...policy, ID: '', CreateIndex: 0, ModifyIndex: 0 });

/** What makes a version: the spec without what the server keeps in the same row. */
function specOf(job: Job): string {
  return formatJson({
    ...job,
    Status: '',
    StatusDescription: '',
    Stable: false,
    Version: 0,
    SubmitTime: 0,
    CreateIndex: 0,
    ModifyIndex: 0,
    JobModifyIndex: 0,
    VersionTag: null,
    TaskGroups: job.TaskGroups.map((group) =>
      group.Scaling === null ? group : { ...group, Scaling: spokenPolicy(group.Scaling) },
    ),
  });
}

/** The newest versions stay, tagged ones, and those that allocations refer to. */
export function dropOldVersions(draft: Draft, key: string): void {
  const versions = [...draft.by('jobVersions', 'job', key)].sort((a, b) => b.Version - a.Version);
  if (versions.length <= trackedVersions) return;
  const inUse = new Set<number>();
  for (const allocation of draft.by('allocations', 'job', key)) inUse.add(allocation.JobVersion);
  for (const version of versions.slice(trackedVersions)) {
    if (version.VersionTag !== null || inUse.has(version.Version)) continue;
    draft.delete('jobVersions', jobVersionId(version.Namespace, version.ID, version.Version));
    draft.delete('jobSubmissions', jobVersionId(version.Namespace, version.ID, version.Version));
  }
}

function keepSubmission(draft: Draft, job: Job, submission: Input<JobSubmission>): void {
  const { Source = '', Variables = '', VariableFlags = {} } = submission;
  const bytes = (Source ?? '').length + (Variables ?? '').length + JSON.stringify(VariableFlags ?? {}).length;
  if (bytes > maxSubmissionBytes) return;
  const { Namespace, ID: JobID, Version, JobModifyIndex } = job;
  draft.put('jobSubmissions', fill(JobSubmission, { ...submission, Namespace, JobID, Version, JobModifyIndex }));
}

/** An evaluation of the job; none where the job only starts others (periodic, parameterized). */
export function evaluate(
  draft: Draft,
  job: Job,
  evalId: string,
  trigger: Trigger,
  priority = 0,
): { readonly evalId: string; readonly evalCreateIndex: number } {
  if (isParentJob(job)) return { evalId: '', evalCreateIndex: 0 };
  putEvaluation(draft, jobEvaluation(evalId, job, trigger, priority === 0 ? {} : { Priority: priority }));
  return { evalId, evalCreateIndex: draft.index };
}
