/** Jobs that others are made of (dispatched, periodic), and the names of their versions. */
import { Fault } from '../../lib/fault.ts';
import { int, map, noun, string } from '../../model/schema.ts';
import { decodeOptionalBody } from '../body.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, type Services, writeMethods } from '../route.ts';

const DispatchRequest = noun('JobDispatchRequest', {
  JobID: string(),
  /** Base64, checked here: the text of that error is read by callers. */
  Payload: string(),
  Meta: map(string()),
  IdPrefixTemplate: string(),
  Priority: int(),
});
const TagRequest = noun('TagVersionRequest', { Version: int(), Description: string() });

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

async function dispatch(request: ApiRequest, services: Services): Promise<Answer> {
  const body = decodeOptionalBody(request, DispatchRequest);
  if (body.JobID && body.JobID !== request.params['id']) throw new Fault('invalid', 'Job ID does not match');
  const payload = body.Payload ?? '';
  if (!base64.test(payload))
    throw new Fault('invalid', `illegal base64 data at input byte ${Math.max(0, payload.search(/[^A-Za-z0-9+/]/))}`);
  const meta = Object.fromEntries(Object.entries(body.Meta ?? {}).map(([key, value]) => [key, value ?? '']));
  return dispatched(request, services, payload, meta, body.IdPrefixTemplate ?? '', body.Priority ?? 0);
}

/** The body is the payload itself. */
function dispatchPayload(request: ApiRequest, services: Services): Promise<Answer> {
  return dispatched(request, services, request.body.toString('base64'), {}, '', 0);
}

async function dispatched(
  { namespace, params, query }: ApiRequest,
  { commands }: Services,
  payload: string,
  meta: { readonly [key: string]: string },
  idPrefixTemplate: string,
  priority: number,
): Promise<Answer> {
  const done = await commands.dispatchJob({
    namespace,
    id: params['id'] ?? '',
    payload,
    meta,
    idempotencyToken: query.text('idempotency_token'),
    idPrefixTemplate,
    priority,
  });
  const value = {
    DispatchedJobID: done.dispatchedJobId,
    EvalCreateIndex: done.evalCreateIndex,
    EvalID: done.evalId,
    Index: done.index,
    JobCreateIndex: done.jobCreateIndex,
  };
  return { index: done.index, value };
}

async function force({ namespace, params }: ApiRequest, { commands }: Services): Promise<Answer> {
  const done = await commands.forcePeriodic({ namespace, id: params['id'] ?? '' });
  const value = { EvalCreateIndex: done.evalCreateIndex, EvalID: done.evalId, Index: done.index };
  return { index: done.index, value };
}

const tagAnswer = (index: number, tag: object): Answer => ({
  index,
  value: { ...tag, Index: index, KnownLeader: false, LastContact: 0, NextToken: '' },
});

async function tag(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const { namespace, params } = request;
  const body = decodeOptionalBody(request, TagRequest);
  const done = await commands.tagVersion({
    namespace,
    id: params['id'] ?? '',
    name: params['tag'] ?? '',
    description: body.Description ?? '',
    version: body.Version ?? null,
  });
  return tagAnswer(done.index, done.tag);
}

async function untag({ namespace, params }: ApiRequest, { commands }: Services): Promise<Answer> {
  const done = await commands.untagVersion({ namespace, id: params['id'] ?? '', name: params['tag'] ?? '' });
  return tagAnswer(done.index, { Description: '', Name: '', TaggedTime: 0 });
}

const dispatchJob = { capability: 'dispatch-job', scope: 'query' } as const;
const submitJob = { capability: 'submit-job', scope: 'query' } as const;

export const jobInstanceRoutes: readonly Route[] = [
  { kind: 'write', methods: writeMethods, path: '/v1/job/{id}/dispatch', access: dispatchJob, run: dispatch },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/job/{id}/dispatch/payload',
    access: dispatchJob,
    run: dispatchPayload,
  },
  { kind: 'write', methods: writeMethods, path: '/v1/job/{id}/periodic/force', access: submitJob, run: force },
  { kind: 'write', methods: writeMethods, path: '/v1/job/{id}/versions/{tag}/tag', access: submitJob, run: tag },
  { kind: 'write', methods: ['DELETE'], path: '/v1/job/{id}/versions/{tag}/tag', access: submitJob, run: untag },
];
