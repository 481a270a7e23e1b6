import { Deployment } from '../../model/deployment.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { creationOrIdOrder, idOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Route, readMethods } from '../route.ts';
import { prefixTest, rowAnswer } from '../shared-answers.ts';
import { shapeOf } from '../visible.ts';
import { allocationForm, allocationStub } from './allocations.ts';

export const findDeployment = (snapshot: ServerSnapshot, { params }: ApiRequest) =>
  snapshot.get('deployments', params['id'] ?? '');
const readJob = { capability: 'read-job', scope: 'object', find: findDeployment } as const;

export const deploymentRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/deployments',
    access: { capability: 'read-job', scope: 'each-row' },
    tables: ['deployments'],
    list: {
      rows: (snapshot, { query }) => snapshot.scan('deployments', { prefix: query.text('prefix') }),
      order: creationOrIdOrder,
      admits: (request) => prefixTest<Deployment>(request, (row) => row.ID),
      namespaceOf: (row: Deployment) => row.Namespace,
      filterShape: shapeOf(Deployment),
      stub: () => (row) => row,
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/deployment/{id}',
    access: readJob,
    tables: ['deployments'],
    rows: ({ params }) => [{ table: 'deployments', id: params['id'] ?? '' }],
    read: (snapshot, request) =>
      rowAnswer(snapshot, ['deployments'], findDeployment(snapshot, request), 'deployment not found'),
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/deployment/allocations/{id}',
    access: readJob,
    tables: ['allocations'],
    list: {
      rows: (snapshot, { params }) => snapshot.by('allocations', 'deployment', params['id'] ?? ''),
      order: idOrder<{ readonly ID: string }>((row) => row.ID),
      paged: false,
      ...allocationForm,
      stub: allocationStub,
    },
  },
];
