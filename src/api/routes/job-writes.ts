import { Fault } from '../../lib/fault.ts';
import { any, bool, int, map, noun, nullable, object, string } from '../../model/schema.ts';
import { decodeBody, decodeOptionalBody } from '../body.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, readMethods, type Services, writeMethods } from '../route.ts';
import { registrationAnswer } from '../shared-answers.ts';
import { bodyNamespace, JobRegisterRequest, registerJob, requestedJob } from './jobs.ts';

const EvalOptions = noun('EvalOptions', { ForceReschedule: bool() });
const JobEvaluateRequest = noun('JobEvaluateRequest', { JobID: string(), EvalOptions: object(EvalOptions) });
const JobRevertRequest = noun('JobRevertRequest', {
  JobID: string(),
  JobVersion: int(),
  EnforcePriorVersion: nullable(int()),
});
const JobStabilityRequest = noun('JobStabilityRequest', { JobID: string(), JobVersion: int(), Stable: bool() });
const ScalingRequest = noun('ScalingRequest', {
  Count: nullable(int()),
  Target: map(string()),
  Message: string(),
  Error: bool(),
  Meta: nullable(map(any())),
});

function idOf(request: ApiRequest, named: string | null | undefined): string {
  const id = request.params['id'] ?? '';
  if (named && named !== id) throw new Fault('invalid', 'Job ID does not match');
  return id;
}

async function plan(request: ApiRequest, { commands, agent }: Services): Promise<Answer> {
  const body = decodeBody(request, JobRegisterRequest);
  const job = requestedJob(request, body, agent.region);
  idOf(request, job.ID);
  const done = await commands.planJob({ job, diff: body.Diff ?? false });
  const value = {
    Annotations: done.annotations,
    ...(done.drivers.length === 0 ? {} : { Drivers: done.drivers }),
    CreatedEvals: done.createdEvals,
    Diff: done.diff,
    FailedTGAllocs: done.failures,
    Index: done.index,
    JobModifyIndex: done.jobModifyIndex,
    NextPeriodicLaunch: done.nextPeriodicLaunch === '' ? null : done.nextPeriodicLaunch,
    Warnings: done.warnings,
  };
  return { index: done.jobModifyIndex, value };
}

/** Like a plan: nothing is changed, but the job comes in the body. */
async function explain(request: ApiRequest, { commands, agent }: Services): Promise<Answer> {
  const job = requestedJob(request, decodeBody(request, JobRegisterRequest), agent.region);
  idOf(request, job.ID);
  return { value: await commands.explainJob(job, request.signal) };
}

async function explainRegistered({ namespace, params, signal }: ApiRequest, { commands }: Services): Promise<Answer> {
  return { value: await commands.explainRegistered(namespace, params['id'] ?? '', signal) };
}

async function deregister(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const { query, namespace, params } = request;
  const evalPriority = query.integer('eval_priority', 0, 'Eval priority must be between 1 and 100 inclusively');
  if (evalPriority < 0 || evalPriority > 100)
    throw new Fault('invalid', 'Eval priority must be between 1 and 100 inclusively');
  const done = await commands.deregisterJob({
    namespace,
    id: params['id'] ?? '',
    purge: query.boolean('purge'),
    evalPriority,
    noShutdownDelay: query.boolean('no_shutdown_delay'),
  });
  return registrationAnswer(done, { VolumeEvalID: '', VolumeEvalIndex: 0 });
}

async function evaluate(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = decodeOptionalBody(request, JobEvaluateRequest);
  const done = await commands.evaluateJob({
    namespace: request.namespace,
    id: idOf(request, body.JobID),
    forceReschedule: body.EvalOptions?.ForceReschedule ?? false,
  });
  return registrationAnswer(done, { Warnings: '' });
}

async function revert(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = decodeBody(request, JobRevertRequest);
  if (!body.JobID) throw new Fault('invalid', 'JobID must be specified');
  const done = await commands.revertJob({
    namespace: request.namespace,
    id: idOf(request, body.JobID),
    version: body.JobVersion ?? 0,
    enforcePriorVersion: body.EnforcePriorVersion ?? null,
  });
  const answer = registrationAnswer(done, { Warnings: done.warnings });
  return { ...answer, headers: { 'x-nomad-knownleader': 'false', 'x-nomad-lastcontact': '0' } };
}

async function scale(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = decodeBody(request, ScalingRequest);
  const group = body.Target?.['Group'] ?? '';
  const count = body.Count ?? null;
  if (group === '') throw new Fault('invalid', 'missing task group name for scaling action');
  if (body.Error === true && count !== null)
    throw new Fault('invalid', 'scaling action should not contain count if error is true');
  if (count !== null && count < 0) throw new Fault('invalid', "scaling action count can't be negative");
  const done = await commands.scaleGroup({
    namespace: request.namespace,
    id: request.params['id'] ?? '',
    group,
    count,
    message: body.Message ?? '',
    error: body.Error ?? false,
    meta: body.Meta ?? null,
  });
  return registrationAnswer(done, { Warnings: '' }, true);
}

async function stable(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = decodeBody(request, JobStabilityRequest);
  if (!body.JobID) throw new Fault('invalid', 'JobID must be specified');
  const done = await commands.setJobStability({
    namespace: request.namespace,
    id: idOf(request, body.JobID),
    version: body.JobVersion ?? 0,
    stable: body.Stable ?? false,
  });
  return { index: done.index, value: { Index: done.index } };
}

const submitJob = { capability: 'submit-job', scope: 'query' } as const;

export const jobWriteRoutes: readonly Route[] = [
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/job/{id}',
    access: { capability: 'submit-job', scope: 'body', namespaceOf: bodyNamespace },
    run: (request, services) => registerJob(request, services, request.params['id']),
  },
  { kind: 'write', methods: ['DELETE'], path: '/v1/job/{id}', access: submitJob, run: deregister },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/job/{id}/plan',
    access: { capability: 'submit-job', scope: 'body', namespaceOf: bodyNamespace },
    run: plan,
  },
  {
    kind: 'ask',
    methods: readMethods,
    path: '/v1/job/{id}/explain',
    access: { capability: 'read-job', scope: 'query' },
    run: explainRegistered,
  },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/job/{id}/explain',
    access: { capability: 'submit-job', scope: 'body', namespaceOf: bodyNamespace },
    run: explain,
  },
  { kind: 'write', methods: writeMethods, path: '/v1/job/{id}/evaluate', access: submitJob, run: evaluate },
  { kind: 'write', methods: writeMethods, path: '/v1/job/{id}/revert', access: submitJob, run: revert },
  { kind: 'write', methods: writeMethods, path: '/v1/job/{id}/stable', access: submitJob, run: stable },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/job/{id}/scale',
    access: { capability: 'scale-job', scope: 'query' },
    run: scale,
  },
];
