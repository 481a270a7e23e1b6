/** Node pools and namespaces. */
import { Fault } from '../../lib/fault.ts';
import type { Job } from '../../model/job.ts';
import { Namespace } from '../../model/namespace.ts';
import { NodePool } from '../../model/node-pool.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { idOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Route, readMethods } from '../route.ts';
import { prefixTest, rowAnswer } from '../shared-answers.ts';
import { shapeOf } from '../visible.ts';
import { jobOrder, jobRows, jobStub } from './jobs.ts';
import { nodeListBase } from './nodes.ts';

const poolRead = { capability: 'node_pool:read', scope: 'none' } as const;
const nameOf = ({ params }: ApiRequest): string => params['name'] ?? '';

function checkNoPrefix({ query }: ApiRequest): void {
  if (query.text('prefix') !== '') throw new Fault('invalid', 'prefix filter not supported');
}

/** `all` is every pool. */
function inPool(request: ApiRequest): (row: { readonly NodePool: string }) => boolean {
  checkNoPrefix(request);
  const name = nameOf(request);
  return (row) => name === 'all' || row.NodePool === name;
}

function readPool(snapshot: ServerSnapshot, request: ApiRequest) {
  return rowAnswer(snapshot, ['nodePools'], snapshot.get('nodePools', nameOf(request)), 'node pool not found');
}

function readNamespace(snapshot: ServerSnapshot, request: ApiRequest) {
  return rowAnswer(snapshot, ['namespaces'], snapshot.get('namespaces', nameOf(request)), 'Namespace not found');
}

export const poolRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/node/pools',
    access: poolRead,
    tables: ['nodePools'],
    list: {
      rows: (snapshot) => snapshot.scan('nodePools'),
      order: idOrder<NodePool>((row) => row.Name),
      admits: (request) => prefixTest<NodePool>(request, (row) => row.Name),
      filterShape: shapeOf(NodePool),
      stub: () => (row) => row,
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/node/pool/{name}',
    access: poolRead,
    tables: ['nodePools'],
    read: readPool,
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/node/pool/{name}/nodes',
    access: { capability: 'node:read', scope: 'none' },
    tables: ['nodes'],
    list: { rows: (snapshot) => snapshot.scan('nodes'), ...nodeListBase, admits: inPool },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/node/pool/{name}/jobs',
    access: { capability: 'list-jobs', scope: 'each-row' },
    tables: ['jobs', 'jobSummaries'],
    list: { rows: jobRows, order: jobOrder, admits: inPool, namespaceOf: (job: Job) => job.Namespace, stub: jobStub },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/namespaces',
    access: { capability: 'list-jobs', scope: 'each-row' },
    tables: ['namespaces'],
    list: {
      rows: (snapshot) => snapshot.scan('namespaces'),
      order: idOrder<Namespace>((row) => row.Name),
      admits: (request) => prefixTest<Namespace>(request, (row) => row.Name),
      filterShape: shapeOf(Namespace),
      stub: () => (row) => row,
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/namespace/{name}',
    access: {
      capability: 'list-jobs',
      scope: 'object',
      find: (_snapshot, request) => ({ Namespace: nameOf(request) }),
    },
    tables: ['namespaces'],
    read: readNamespace,
  },
];
