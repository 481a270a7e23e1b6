/** Namespaces: reading and writing. */
import { Fault } from '../../lib/fault.ts';
import { Namespace } from '../../model/namespace.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { decodeBody } from '../body.ts';
import { idOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, readMethods, type Services, writeMethods } from '../route.ts';
import { prefixTest, rowAnswer } from '../shared-answers.ts';
import { shapeOf } from '../visible.ts';

const management = { capability: 'management', scope: 'none' } as const;
const nameOf = ({ params }: ApiRequest): string => params['name'] ?? '';

function readNamespace(snapshot: ServerSnapshot, request: ApiRequest) {
  return rowAnswer(snapshot, ['namespaces'], snapshot.get('namespaces', nameOf(request)), 'Namespace not found');
}

async function putNamespace(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const namespace = decodeBody(request, Namespace);
  if (request.params['name'] !== undefined && namespace.Name !== nameOf(request))
    throw new Fault('invalid', 'Namespace name does not match request path');
  return commands.putNamespace(namespace);
}

export const namespaceRoutes: readonly Route[] = [
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
  { kind: 'write', methods: writeMethods, path: '/v1/namespace', access: management, run: putNamespace },
  { kind: 'write', methods: writeMethods, path: '/v1/namespace/{name}', access: management, run: putNamespace },
  {
    kind: 'write',
    methods: ['DELETE'],
    path: '/v1/namespace/{name}',
    access: management,
    run: async (request, { commands }) => commands.deleteNamespace(nameOf(request)),
  },
];
