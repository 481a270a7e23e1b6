/** Node pools: reading and writing. */
import { Fault } from '../../lib/fault.ts';
import type { Job } from '../../model/job.ts';
import { NodePool } from '../../model/node-pool.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { decodeBody } from '../body.ts';
import { idOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, readMethods, type Services, writeMethods } from '../route.ts';
import { prefixTest, rowAnswer } from '../shared-answers.ts';
import { shapeOf } from '../visible.ts';
import { jobOrder, jobRows, jobStub } from './jobs.ts';
import { nodeListBase } from './nodes.ts';

const poolRead = { capability: 'node_pool:read', scope: 'none' } as const;
const poolWrite = { capability: 'node_pool:write', scope: 'none' } as const;
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

async function putPool(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const pool = decodeBody(request, NodePool);
  if (request.params['name'] !== undefined && pool.Name !== nameOf(request))
    throw new Fault('invalid', 'Node pool name does not match request path');
  return commands.putNodePool(pool);
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
  { kind: 'write', methods: writeMethods, path: '/v1/node/pools', access: poolWrite, run: putPool },
  { kind: 'write', methods: writeMethods, path: '/v1/node/pool/{name}', access: poolWrite, run: putPool },
  {
    kind: 'write',
    methods: ['DELETE'],
    path: '/v1/node/pool/{name}',
    access: { capability: 'node_pool:delete', scope: 'none' },
    run: async (request, { commands }) => commands.deleteNodePool(nameOf(request)),
  },
];
