/** What the API does to a job that is there: evaluate, go back to a version. */
import { Fault } from '../lib/fault.ts';
import type { Job } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { formatWarnings, validateJob } from '../model/job-validate.ts';
import { notServed } from '../model/not-served.ts';
import { isDispatchable } from '../model/parent-job.ts';
import { isTerminal } from '../scheduler/fit.ts';
import type { ServerContext } from './context.ts';
import { markStable } from './deployment-state.ts';
import type { Draft } from './draft.ts';
import { evaluate, type JobChange, storeJob } from './job-register.ts';
import { jobEvaluation, putAllocation, putEvaluation } from './rows.ts';

/** Looks at a job again. `forceReschedule`: failed allocations are replaced now, whatever their policy says. */
export async function evaluateJob(
  context: ServerContext,
  request: { readonly namespace: string; readonly id: string; readonly forceReschedule: boolean },
): Promise<JobChange> {
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const job = draft.get('jobs', jobId(request.namespace, request.id));
    if (job === undefined) throw new Fault('not_found', 'job not found', { status: 500 });
    if (job.Periodic !== null) throw new Fault('invalid', "can't evaluate periodic job", { status: 500 });
    if (isDispatchable(job)) throw new Fault('invalid', "can't evaluate parameterized job", { status: 500 });
    if (request.forceReschedule) forceReschedule(draft, job);
    return { ...evaluate(draft, job, evalId, 'job-register'), jobModifyIndex: job.JobModifyIndex };
  });
  return { ...result, index };
}

function forceReschedule(draft: Draft, job: Job): void {
  for (const allocation of draft.by('allocations', 'job', jobId(job.Namespace, job.ID))) {
    if (allocation.ClientStatus !== 'failed' || allocation.NextAllocation !== '' || allocation.DesiredStatus !== 'run')
      continue;
    putAllocation(draft, {
      ...allocation,
      DesiredTransition: { ...allocation.DesiredTransition, ForceReschedule: true },
    });
  }
}

/** Registers an earlier version as a new one. `conflict` where the job is not at `enforcePriorVersion`. */
export async function revertJob(
  context: ServerContext,
  request: {
    readonly namespace: string;
    readonly id: string;
    readonly version: number;
    readonly enforcePriorVersion: number | null;
  },
): Promise<JobChange & { readonly warnings: string }> {
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const job = draft.get('jobs', jobId(request.namespace, request.id));
    if (job === undefined) throw new Fault('not_found', `job "${request.id}" not found`, { status: 500 });
    const { version, enforcePriorVersion } = request;
    if (enforcePriorVersion !== null && job.Version !== enforcePriorVersion) {
      throw new Fault('conflict', `Current job has version ${job.Version}; enforcing version ${enforcePriorVersion}`, {
        status: 500,
      });
    }
    if (job.Version === version) throw new Fault('invalid', "can't revert to current version", { status: 500 });
    const stored = revertTo(draft, job, version, context.newId);
    if (stored === undefined) {
      const where = `job "${request.id}" in namespace "${request.namespace}" at version ${version}`;
      throw new Fault('not_found', `${where} not found`, { status: 500 });
    }
    const warnings = [...validateJob(stored).warnings, ...notServed(stored)];
    const evaluated = evaluate(draft, stored, evalId, 'job-register');
    return { ...evaluated, jobModifyIndex: stored.JobModifyIndex, warnings: formatWarnings(warnings) };
  });
  return { ...result, index };
}

/** A new version with the spec of an old one; undefined: there is no such version. */
export function revertTo(draft: Draft, job: Job, version: number, newId: () => string): Job | undefined {
  const old = draft.get('jobVersions', jobVersionId(job.Namespace, job.ID, version));
  if (old === undefined) return undefined;
  const stored = storeJob(draft, { ...old, Stop: false }, newId);
  const submission = draft.get('jobSubmissions', jobVersionId(job.Namespace, job.ID, version));
  if (submission !== undefined && stored.Version !== job.Version) {
    draft.put('jobSubmissions', { ...submission, Version: stored.Version, JobModifyIndex: stored.JobModifyIndex });
  }
  return stored;
}

/** Stops one allocation; the scheduler places another. */
export async function stopAllocation(
  context: ServerContext,
  request: { readonly id: string; readonly noShutdownDelay: boolean; readonly reschedule?: boolean },
): Promise<{ readonly evalId: string; readonly index: number }> {
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const allocation = draft.get('allocations', request.id);
    if (allocation === undefined) throw new Fault('not_found', 'allocation not found', { status: 404 });
    if (!isTerminal(allocation)) {
      putAllocation(draft, {
        ...allocation,
        DesiredTransition: {
          ...allocation.DesiredTransition,
          Migrate: true,
          Reschedule: request.reschedule ?? false,
          NoShutdownDelay: request.noShutdownDelay,
        },
      });
    }
    const job = draft.get('jobs', jobId(allocation.Namespace, allocation.JobID)) ?? allocation.Job;
    if (job === null) return '';
    putEvaluation(draft, jobEvaluation(evalId, job, 'alloc-stop'));
    return evalId;
  });
  return { evalId: result, index };
}

export async function setJobStability(
  context: ServerContext,
  request: { readonly namespace: string; readonly id: string; readonly version: number; readonly stable: boolean },
): Promise<{ readonly index: number }> {
  const { namespace, id, version, stable } = request;
  const { index } = await context.write((draft) => {
    if (markStable(draft, namespace, id, version, stable)) return;
    throw new Fault('not_found', `job "${id}" in namespace "${namespace}" at version ${version} not found`, {
      status: 500,
    });
  });
  return { index };
}
