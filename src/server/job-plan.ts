import { Fault } from '../lib/fault.ts';
import { formatInstant } from '../lib/instant.ts';
import type { Allocation } from '../model/allocation.ts';
import { autoDriver, chooseDriver, type PlannedDriver } from '../model/driver-choice.ts';
import type { Job } from '../model/job.ts';
import { annotateDiff } from '../model/job-diff-annotate.ts';
import { diffJobs } from '../model/job-diff-make.ts';
import { jobId } from '../model/job-id.ts';
import { formatErrors, formatWarnings } from '../model/job-validate.ts';
import type { Input } from '../model/schema.ts';
import { demandedFloor, floorOn } from '../scheduler/feasible/isolation.ts';
import type { JobPlan } from './commands.ts';
import type { ServerContext } from './context.ts';
import { Draft } from './draft.ts';
import { checkJob, storeJob } from './job-register.ts';
import { dueAfter } from './periodic.ts';
import { jobEvaluation, putEvaluation } from './rows.ts';
import type { Schedule } from './worker.ts';

/** What registering the job would do: decided on a draft that is never written. */
export function planJob(
  context: ServerContext,
  schedule: Schedule,
  request: { readonly job: Input<Job>; readonly diff: boolean },
): JobPlan & { readonly index: number } {
  const snapshot = context.store.snapshot();
  const { job, errors, warnings } = checkJob(snapshot, context.region, request.job);
  if (errors.length > 0) throw new Fault('invalid', formatErrors(errors), { status: 500 });
  const before = snapshot.get('jobs', jobId(job.Namespace, job.ID)) ?? null;
  const draft = new Draft(snapshot, snapshot.index + 1, context.clock.now());
  const stored = storeJob(draft, job, context.newId);
  const evalId = context.newId();
  // also of a job that only starts others: the plan shows what one of them would be
  putEvaluation(draft, jobEvaluation(evalId, stored, 'job-register'));
  const base = {
    jobModifyIndex: before?.JobModifyIndex ?? 0,
    warnings: formatWarnings(warnings),
    nextPeriodicLaunch: nextLaunchText(stored, draft.now),
    index: before === null ? 0 : snapshot.index,
  };
  const diff = request.diff ? diffJobs(before, stored, true) : null;
  const evaluation = draft.get('evaluations', evalId);
  if (evaluation === undefined)
    return { ...base, createdEvals: null, diff, annotations: null, failures: null, drivers: [] };
  const { plan, failures, followUps } = schedule(
    { ...evaluation, AnnotatePlan: true },
    { snapshot: draft, now: draft.now, newId: context.newId, random: context.random },
  );
  return {
    ...base,
    createdEvals: followUps.length === 0 ? null : followUps,
    diff: diff === null ? null : annotateDiff(diff, plan.annotations?.DesiredTGUpdates ?? null),
    annotations: plan.annotations,
    failures: Object.keys(failures).length === 0 ? null : failures,
    drivers: plannedDrivers(draft, stored, plan.placements),
  };
}

function nextLaunchText(job: Job, now: number): string {
  const due = dueAfter(job, now);
  return due === undefined ? '' : formatInstant(due);
}

/** Each task of "auto" on each node that the plan uses, once. */
function plannedDrivers(draft: Draft, job: Job, placements: readonly Allocation[]): readonly PlannedDriver[] {
  const namespace = draft.get('namespaces', job.Namespace);
  const found = new Map<string, PlannedDriver>();
  for (const { TaskGroup: name, NodeID } of placements) {
    const node = draft.get('nodes', NodeID);
    const group = job.TaskGroups.find(({ Name }) => Name === name);
    if (node === undefined || group === undefined) continue;
    for (const task of group.Tasks.filter(({ Driver }) => Driver === autoDriver)) {
      const choice = chooseDriver(node, group, task, floorOn(node, demandedFloor(job, group, task, namespace)));
      const of = { TaskGroup: name, Task: task.Name, NodeID, NodeName: node.Name };
      found.set(Object.values(of).join('\u0000'), { ...of, ...choice });
    }
  }
  return [...found.values()];
}
