/** Jobs made of other jobs: dispatched with a payload and metadata, or launched by their cron lines. */
import { Fault } from '../lib/fault.ts';
import { dispatchedDemandProblems } from '../model/isolation-floor.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import { isDispatchable } from '../model/parent-job.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { evaluate, storeJob } from './job-register.ts';

export interface DispatchJob {
  readonly namespace: string;
  readonly id: string;
  /** Base64; empty: none. */
  readonly payload: string;
  readonly meta: { readonly [key: string]: string };
  /** A second dispatch with the same one answers with the first; empty: none. */
  readonly idempotencyToken: string;
  readonly idPrefixTemplate: string;
  /** 0: the job's own. */
  readonly priority: number;
}

export interface DispatchedJob {
  readonly dispatchedJobId: string;
  readonly evalId: string;
  readonly evalCreateIndex: number;
  readonly jobCreateIndex: number;
  readonly index: number;
}

const longestPayload = 16 * 1024;
const refused = (text: string): Fault => new Fault('invalid', text, { status: 500 });

/** Faults, with Nomad's texts: no such job or none that can be dispatched, a payload or metadata that it does not take or lacks. */
export async function dispatchJob(context: ServerContext, request: DispatchJob): Promise<DispatchedJob> {
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const parent = draft.get('jobs', jobId(request.namespace, request.id));
    if (parent === undefined) throw refused('parameterized job not found');
    if (!isDispatchable(parent)) throw refused(`Specified job "${request.id}" is not a parameterized job`);
    if (parent.Stop) throw refused(`Specified job "${request.id}" is stopped`);
    checkPayload(parent, request.payload);
    checkMeta(parent, request.meta);
    const known = request.idempotencyToken === '' ? undefined : dispatchedWith(draft, parent, request.idempotencyToken);
    if (known !== undefined)
      return { dispatchedJobId: known.ID, evalId: '', evalCreateIndex: 0, jobCreateIndex: known.CreateIndex };
    const child = storeJob(draft, childOf(parent, request, draft.now, context.newId), context.newId);
    return {
      dispatchedJobId: child.ID,
      ...evaluate(draft, child, evalId, 'job-register'),
      jobCreateIndex: child.CreateIndex,
    };
  });
  return { ...result, index };
}

function childOf(parent: Job, request: DispatchJob, now: number, newId: () => string): Job {
  const prefix = request.idPrefixTemplate === '' ? '' : `${request.idPrefixTemplate}-`;
  const id = `${parent.ID}/dispatch-${prefix}${Math.floor(now / 1e9)}-${newId().slice(0, 8)}`;
  const meta = { ...parent.Meta, ...request.meta };
  return {
    ...fresh(parent, id),
    Dispatched: true,
    DispatchIdempotencyToken: request.idempotencyToken,
    Meta: Object.keys(meta).length === 0 ? null : meta,
    Payload: request.payload === '' ? null : request.payload,
    Priority: request.priority === 0 ? parent.Priority : request.priority,
  };
}

const fresh = (parent: Job, id: string): Job => ({ ...parent, ID: id, Name: id, ParentID: parent.ID, Status: '' });

function dispatchedWith(draft: Draft, parent: Job, token: string): Job | undefined {
  for (const job of draft.scan('jobs')) {
    if (job.Namespace === parent.Namespace && job.ParentID === parent.ID && job.DispatchIdempotencyToken === token)
      return job;
  }
  return undefined;
}

function checkPayload({ ParameterizedJob: takes }: Job, payload: string): void {
  if (payload === '' && takes?.Payload === 'required')
    throw refused('Payload is not provided but required by parameterized job');
  if (payload !== '' && takes?.Payload === 'forbidden')
    throw refused('Payload provided but forbidden by parameterized job');
  const bytes = Math.floor((payload.replace(/=+$/, '').length * 3) / 4);
  if (bytes > longestPayload) throw refused(`Payload exceeds maximum size; ${bytes} > ${longestPayload}`);
}

function checkMeta({ ParameterizedJob: takes, Meta }: Job, given: DispatchJob['meta']): void {
  const required = takes?.MetaRequired ?? [];
  const permitted = new Set([...required, ...(takes?.MetaOptional ?? [])]);
  const names = Object.keys(given);
  const list = (keys: readonly string[]): string => `[${keys.join(', ')}]`;
  const unknown = names.filter((name) => !permitted.has(name));
  if (unknown.length > 0) throw refused(`Dispatch request included unpermitted metadata keys: ${list(unknown)}`);
  const missing = required.filter((name) => !Object.hasOwn(given, name));
  if (missing.length > 0) throw refused(`Dispatch did not provide required meta keys: ${list(missing)}`);
  const unsound = dispatchedDemandProblems(Meta, given);
  if (unsound.length > 0) throw refused(`Dispatch metadata: ${unsound.join('; ')}`);
}

/** Faults, with Nomad's texts: no such job, or not a periodic one. Runs also where another launch still does. */
export async function forcePeriodic(
  context: ServerContext,
  request: { readonly namespace: string; readonly id: string },
): Promise<{ readonly evalId: string; readonly evalCreateIndex: number; readonly index: number }> {
  const { index, result } = await context.write((draft) => {
    const parent = draft.get('jobs', jobId(request.namespace, request.id));
    if (parent === undefined) throw refused('job not found');
    if (parent.Periodic === null) throw refused("can't force launch non-periodic job");
    return launchPeriodic(draft, parent, draft.now, context.newId);
  });
  return { ...result, index };
}

/** One job more of a periodic one. `due`: Unix nanoseconds; two launches of one second are one. */
export function launchPeriodic(
  draft: Draft,
  parent: Job,
  due: number,
  newId: () => string,
): { readonly evalId: string; readonly evalCreateIndex: number } {
  const id = `${parent.ID}/periodic-${Math.floor(due / 1e9)}`;
  const child = storeJob(draft, { ...fresh(parent, id), Periodic: null }, newId);
  draft.put('periodicLaunches', {
    Namespace: parent.Namespace,
    ID: parent.ID,
    Launch: Math.max(due, draft.get('periodicLaunches', jobId(parent.Namespace, parent.ID))?.Launch ?? 0),
    ModifyIndex: draft.index,
  });
  return evaluate(draft, child, newId(), 'periodic-job');
}
