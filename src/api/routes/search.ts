import { Fault } from '../../lib/fault.ts';
import type { Job } from '../../model/job.ts';
import { jobId } from '../../model/job-id.ts';
import { noun, string } from '../../model/schema.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { tablesIndex } from '../blocking.ts';
import { decodeBody } from '../body.ts';
import type { ApiRequest } from '../request.ts';
import { type ReadRoute, type Route, writeMethods } from '../route.ts';
import { withState } from '../shared-answers.ts';
import { policyRows } from './scaling.ts';

const SearchRequest = noun('SearchRequest', { Prefix: string(), Text: string(), Context: string() });
const maximumMatches = 20;

type Finder = (snapshot: ServerSnapshot, prefix: string, request: ApiRequest) => Iterable<string>;

function* ids<Row extends { readonly ID: string; readonly Namespace?: string }>(
  rows: Iterable<Row>,
  { namespace }: ApiRequest,
): Iterable<string> {
  for (const row of rows)
    if (row.Namespace === undefined || namespace === '*' || row.Namespace === namespace) yield row.ID;
}

function* jobIds(snapshot: ServerSnapshot, prefix: string, { namespace }: ApiRequest): Iterable<string> {
  const all = namespace === '*';
  for (const job of snapshot.scan('jobs', all ? {} : { prefix: jobId(namespace, prefix) }))
    if (job.ID.startsWith(prefix)) yield job.ID;
}

function* names(rows: Iterable<{ readonly Name: string }>): Iterable<string> {
  for (const row of rows) yield row.Name;
}

function* policyIds(snapshot: ServerSnapshot, prefix: string, request: ApiRequest): Iterable<string> {
  for (const { ID } of policyRows(snapshot, request)) if (ID.startsWith(prefix)) yield ID;
}

const nothing: Finder = () => [];

/** In the order in which the reference names them. What is not served yet has no matches. */
const contexts: { readonly [context: string]: Finder } = {
  allocs: (snapshot, prefix, request) => ids(snapshot.scan('allocations', { prefix }), request),
  jobs: jobIds,
  nodes: (snapshot, prefix, request) => ids(snapshot.scan('nodes', { prefix }), request),
  node_pools: (snapshot, prefix) => names(snapshot.scan('nodePools', { prefix })),
  evals: (snapshot, prefix, request) => ids(snapshot.scan('evaluations', { prefix }), request),
  deployment: (snapshot, prefix, request) => ids(snapshot.scan('deployments', { prefix }), request),
  plugins: nothing,
  volumes: nothing,
  scaling_policy: (snapshot, prefix, request) => policyIds(snapshot, prefix, request),
  vars: nothing,
  namespaces: (snapshot, prefix) => names(snapshot.scan('namespaces', { prefix })),
  host_volumes: nothing,
};

const byUuid = new Set(['allocs', 'nodes', 'evals', 'deployment']);

function search(snapshot: ServerSnapshot, request: ApiRequest) {
  const body = decodeBody(request, SearchRequest);
  const context = body.Context || 'all';
  const prefix = body.Prefix ?? '';
  if (context !== 'all' && !Object.hasOwn(contexts, context))
    throw new Fault(
      'invalid',
      `context must be one of [${Object.keys(contexts).join(' ')}] or 'all' for all contexts; got ${JSON.stringify(context)}`,
      { status: 500 },
    );
  const matches: { [name: string]: readonly string[] | null } = {};
  const truncations: { [name: string]: boolean } = {};
  for (const [name, find] of Object.entries(contexts)) {
    if (context !== 'all' && context !== name) continue;
    // a prefix that is no part of a UUID finds none: the reference leaves these contexts out
    if (context === 'all' && byUuid.has(name) && !/^[0-9a-f-]*$/i.test(prefix)) continue;
    const found: string[] = [];
    for (const id of find(
      snapshot,
      prefix.toLowerCase() === prefix || !byUuid.has(name) ? prefix : prefix.toLowerCase(),
      request,
    )) {
      found.push(id);
      if (found.length > maximumMatches) break;
    }
    truncations[name] = found.length > maximumMatches;
    matches[name] = found.length === 0 ? null : found.slice(0, maximumMatches);
  }
  const index = tablesIndex(snapshot, route.tables);
  return { index, value: withState({ Matches: matches, Truncations: truncations }, index, true) };
}

const route: ReadRoute = {
  kind: 'read',
  methods: writeMethods,
  path: '/v1/search',
  access: { capability: 'list-jobs', scope: 'query' },
  tables: ['jobs', 'allocations', 'nodes', 'nodePools', 'evaluations', 'deployments', 'namespaces'],
  read: search,
};

/** What of a task's options its driver runs: context → option. */
const programs: readonly (readonly [context: string, option: string])[] = [
  ['images', 'image'],
  ['images', 'image_path'],
  ['commands', 'command'],
  ['classes', 'class'],
];

interface Named {
  readonly context: string;
  readonly name: string;
  readonly scope: readonly string[];
}

/** Everything in a job that a fuzzy search finds, each with where it stands. */
function* namesInJob(job: Job): Iterable<Named> {
  const place = [job.Namespace, job.ID];
  for (const group of job.TaskGroups ?? []) {
    const inGroup = [...place, group.Name];
    yield { context: 'groups', name: group.Name, scope: place };
    for (const { Name } of group.Services ?? []) yield { context: 'services', name: Name, scope: inGroup };
    for (const task of group.Tasks ?? []) {
      const inTask = [...inGroup, task.Name];
      yield { context: 'tasks', name: task.Name, scope: inGroup };
      for (const { Name } of task.Services ?? []) yield { context: 'services', name: Name, scope: inTask };
      for (const [context, option] of programs) {
        const value = task.Config?.[option];
        if (typeof value === 'string') yield { context, name: value, scope: inTask };
      }
    }
  }
}

/** Fuzzy: jobs, nodes, namespaces and pools whose name contains the text; a job also by what is in it. */
function fuzzySearch(snapshot: ServerSnapshot, request: ApiRequest) {
  const body = decodeBody(request, SearchRequest);
  const text = (body.Text ?? '').toLowerCase();
  const context = body.Context || 'all';
  if (text.length < 2)
    throw new Fault('invalid', `fuzzy search query must be at least 2 characters, got ${text.length}`, { status: 500 });
  const matches = new Map<string, { ID: string; Scope?: readonly string[] }[]>();
  const take = (name: string, id: string, scope?: readonly string[]) => {
    if ((context !== 'all' && context !== name) || !id.toLowerCase().includes(text)) return;
    matches.set(name, [...(matches.get(name) ?? []), scope === undefined ? { ID: id } : { ID: id, Scope: scope }]);
  };
  for (const job of snapshot.scan('jobs')) {
    if (request.namespace !== '*' && job.Namespace !== request.namespace) continue;
    take('jobs', job.Name, [job.Namespace, job.ID]);
    if (context === 'jobs') continue;
    for (const { context: name, name: id, scope } of namesInJob(job)) take(name, id, scope);
  }
  for (const node of snapshot.scan('nodes')) take('nodes', node.Name, [node.ID]);
  for (const { Name } of snapshot.scan('namespaces')) take('namespaces', Name);
  for (const { Name } of snapshot.scan('nodePools')) take('node_pools', Name);
  const entries = [...matches];
  const index = tablesIndex(snapshot, route.tables);
  const value = {
    Matches: Object.fromEntries(entries.map(([name, found]) => [name, found.slice(0, maximumMatches)])),
    Truncations: Object.fromEntries(entries.map(([name, found]) => [name, found.length > maximumMatches])),
  };
  return { index, value: withState(value, index, true) };
}

export const searchRoutes: readonly Route[] = [route, { ...route, path: '/v1/search/fuzzy', read: fuzzySearch }];
