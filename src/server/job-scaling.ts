/** Changing the count of one group, and the notes about it. */
import { Fault } from '../lib/fault.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { ScalingEvent } from '../model/scaling-event.ts';
import type { TaskGroup } from '../model/task-group.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { evaluate, type JobChange, storeJob } from './job-register.ts';
import { isActive } from './job-status.ts';

export interface ScaleGroup {
  readonly namespace: string;
  readonly id: string;
  readonly group: string;
  readonly count: number | null;
  readonly message: string;
  readonly error: boolean;
  readonly meta: { readonly [key: string]: unknown } | null;
}

export async function scaleGroup(context: ServerContext, request: ScaleGroup): Promise<JobChange> {
  checkScale(request);
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const job = draft.get('jobs', jobId(request.namespace, request.id));
    if (job === undefined) throw new Fault('not_found', `job "${request.id}" not found`, { status: 404 });
    const { count } = request;
    const group = checkGroup(draft, job, request);
    keepEvent(draft, request, group.Count, count === null ? null : evalId);
    if (count === null) return { evalId: '', evalCreateIndex: 0, jobModifyIndex: job.JobModifyIndex };
    const groups = job.TaskGroups.map((one) => (one === group ? { ...one, Count: count } : one));
    const stored = storeJob(draft, { ...job, TaskGroups: groups }, context.newId);
    return { ...evaluate(draft, stored, evalId, 'job-scaling'), jobModifyIndex: stored.JobModifyIndex };
  });
  return { ...result, index };
}

const badScale = (why: string): Fault => new Fault('invalid', why, { status: 400 });

function checkScale({ group, count, error }: ScaleGroup): void {
  if (group === '') throw badScale('missing task group name for scaling action');
  if (error && count !== null) throw badScale('scaling action should not contain count if error is true');
  if (count !== null && count < 0) throw badScale("scaling action count can't be negative");
}

function checkGroup(draft: Draft, job: Job, request: ScaleGroup): TaskGroup {
  const group = job.TaskGroups.find((one) => one.Name === request.group);
  if (group === undefined) throw badScale(`task group "${request.group}" specified for scaling does not exist in job`);
  if (request.count === null) return group;
  const { Scaling: policy } = group;
  if (policy !== null && request.count > policy.Max) {
    throw badScale(`group count was greater than scaling policy maximum: ${request.count} > ${policy.Max}`);
  }
  if (policy !== null && request.count < (policy.Min ?? 0)) {
    throw badScale(`group count was less than scaling policy minimum: ${request.count} < ${policy.Min}`);
  }
  for (const deployment of draft.by('deployments', 'job', jobId(job.Namespace, job.ID))) {
    if (isActive(deployment)) throw badScale('job scaling blocked due to active deployment');
  }
  return group;
}

/** Nomad's number, per group. */
const keptEvents = 20;

function keepEvent(draft: Draft, request: ScaleGroup, previousCount: number, evalId: string | null): void {
  const { namespace, id, group } = request;
  const known = draft.get('scalingEvents', jobId(namespace, id))?.ScalingEvents ?? {};
  const event: ScalingEvent = {
    Count: request.count,
    PreviousCount: previousCount,
    Error: request.error,
    Message: request.message,
    Meta: request.meta,
    EvalID: evalId,
    Time: draft.now,
    CreateIndex: draft.index,
  };
  const events = [event, ...(known[group] ?? [])].slice(0, keptEvents);
  draft.put('scalingEvents', {
    Namespace: namespace,
    JobID: id,
    ScalingEvents: { ...known, [group]: events },
    ModifyIndex: draft.index,
  });
}
