import { Fault } from '../../lib/fault.ts';
import { compileFilter, parseExpression } from '../../lib/go-bexpr.ts';
import { Evaluation, EvaluationStub } from '../../model/evaluation.ts';
import { jobId } from '../../model/job-id.ts';
import { list, noun, nullable, string } from '../../model/schema.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { decodeBody } from '../body.ts';
import { creationOrIdOrder, idOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, readMethods, type Services } from '../route.ts';
import { rowPattern } from '../row-pattern.ts';
import { rowAnswer, withState } from '../shared-answers.ts';
import { shapeOf, visibleForm } from '../visible.ts';
import { allocationForm, allocationStub } from './allocations.ts';

const visible = visibleForm(Evaluation);
const zeroTime = '0001-01-01T00:00:00Z';
const stubFields = Object.keys(EvaluationStub.fields) as (keyof EvaluationStub)[];

function stubOf(evaluation: Evaluation): object {
  const fields = Object.fromEntries(stubFields.map((field) => [field, evaluation[field]]));
  // a pointer in the reference: no time is null here
  return { ...fields, WaitUntil: evaluation.WaitUntil === zeroTime ? null : evaluation.WaitUntil };
}

function links(evaluation: Evaluation): readonly string[] {
  return [evaluation.PreviousEval, evaluation.NextEval, evaluation.BlockedEval].filter((id) => id !== '');
}

/** The evaluations that led to this one or came of it, oldest first. */
function relatedEvaluations(snapshot: ServerSnapshot, evaluation: Evaluation): readonly Evaluation[] {
  const ofJob = [...snapshot.by('evaluations', 'job', jobId(evaluation.Namespace, evaluation.JobID))];
  const neighbours = new Map<string, string[]>();
  for (const each of ofJob)
    for (const id of links(each)) {
      neighbours.set(each.ID, [...(neighbours.get(each.ID) ?? []), id]);
      neighbours.set(id, [...(neighbours.get(id) ?? []), each.ID]);
    }
  const reached = new Set([evaluation.ID]);
  for (const id of reached) for (const next of neighbours.get(id) ?? []) reached.add(next);
  return ofJob
    .filter((each) => each.ID !== evaluation.ID && reached.has(each.ID))
    .sort((left, right) => left.CreateIndex - right.CreateIndex);
}

function readEvaluation(snapshot: ServerSnapshot, request: ApiRequest) {
  const related = request.query.text('related') === 'true';
  const row = snapshot.get('evaluations', request.params['id'] ?? '');
  return rowAnswer(snapshot, ['evaluations'], row, 'eval not found', (evaluation) =>
    related
      ? { ...visible(evaluation), RelatedEvals: relatedEvaluations(snapshot, evaluation).map(stubOf) }
      : visible(evaluation),
  );
}

/** `status` and `job` of the query; they and a filter exclude each other. */
function parameters({ query }: ApiRequest): (row: Evaluation) => boolean {
  const status = query.text('status');
  const job = query.text('job');
  const prefix = query.text('prefix');
  if (query.text('filter') !== '' && (status !== '' || job !== ''))
    throw new Fault('invalid', 'Filter expression cannot be used with other filter parameters');
  return (row) =>
    (status === '' || row.Status === status) && (job === '' || row.JobID === job) && row.ID.startsWith(prefix);
}

const evaluationFilter = (text: string) => compileFilter(parseExpression(text), shapeOf(Evaluation), rowPattern);

function countEvaluations(snapshot: ServerSnapshot, { query, namespace }: ApiRequest) {
  const text = query.text('filter');
  const filter = text === '' ? () => true : evaluationFilter(text);
  let count = 0;
  for (const row of snapshot.scan('evaluations', { prefix: query.text('prefix') }))
    if ((namespace === '*' || row.Namespace === namespace) && filter(row)) count++;
  const index = snapshot.tableIndex('evaluations');
  return { index, value: withState({ Count: count }, index, true) };
}

const EvalDeleteRequest = noun('EvalDeleteRequest', { EvalIDs: nullable(list(string())), Filter: string() });

/** Of ids in one request: what the reference takes. */
const maximumIds = 7281;

async function deleteEvaluations(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = decodeBody(request, EvalDeleteRequest);
  const ids = (body.EvalIDs ?? []) as readonly string[];
  const byId = ids.length > 0;
  if (byId && body.Filter) throw new Fault('invalid', 'evals cannot be deleted by both ID and filter');
  if (!byId && !body.Filter) throw new Fault('invalid', 'evals must be deleted by either ID or filter');
  if (ids.length > maximumIds)
    throw new Fault('invalid', `${ids.length} evaluations are too many for one request: at most ${maximumIds}`);
  const done = await commands.deleteEvaluations(byId ? ids : evaluationFilter(body.Filter ?? ''));
  return { index: done.index, value: { Count: done.count, Index: done.index } };
}

const find = (snapshot: ServerSnapshot, { params }: ApiRequest) => snapshot.get('evaluations', params['id'] ?? '');

export const evaluationRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/evaluations',
    access: { capability: 'read-job', scope: 'each-row' },
    tables: ['evaluations'],
    list: {
      rows: (snapshot, { query }) => snapshot.scan('evaluations', { prefix: query.text('prefix') }),
      order: creationOrIdOrder,
      admits: parameters,
      namespaceOf: (row: Evaluation) => row.Namespace,
      filterShape: shapeOf(Evaluation),
      stub: () => visible,
    },
  },
  {
    kind: 'write',
    methods: ['DELETE'],
    path: '/v1/evaluations',
    access: { capability: 'management', scope: 'none' },
    run: deleteEvaluations,
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/evaluations/count',
    access: { capability: 'read-job', scope: 'query' },
    tables: ['evaluations'],
    read: countEvaluations,
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/evaluation/{id}',
    access: { capability: 'read-job', scope: 'object', find },
    tables: ['evaluations'],
    rows: ({ params }) => [{ table: 'evaluations', id: params['id'] ?? '' }],
    read: readEvaluation,
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/evaluation/{id}/allocations',
    access: { capability: 'read-job', scope: 'object', find },
    tables: ['allocations'],
    list: {
      rows: (snapshot, { params }) => snapshot.by('allocations', 'evaluation', params['id'] ?? ''),
      order: idOrder<{ readonly ID: string }>((row) => row.ID),
      paged: false,
      ...allocationForm,
      stub: allocationStub,
    },
  },
];
