import { type NodeRoute, type Route, readMethods } from '../route.ts';

const nodeRead = { capability: 'node:read', scope: 'none' } as const;
const nodeWrite = { capability: 'node:write', scope: 'none' } as const;
const target = { kind: 'node' } as const;

const stats: NodeRoute = {
  kind: 'ask',
  methods: readMethods,
  path: '/v1/client/stats',
  access: nodeRead,
  target,
  onNode: async ({ signal }, client) => ({ value: await client.hostStats(signal) }),
};

const collectGarbage: NodeRoute = {
  kind: 'write',
  methods: readMethods,
  path: '/v1/client/gc',
  access: nodeWrite,
  target,
  onNode: async ({ signal }, client) => {
    await client.collectGarbage(null, signal);
    return {};
  },
};

const metadata: NodeRoute = {
  kind: 'ask',
  methods: readMethods,
  path: '/v1/client/metadata',
  access: nodeRead,
  target,
  onNode: async (_request, client) => {
    const meta = client.node().Meta ?? {};
    return { value: { Meta: meta, Dynamic: {}, Static: meta } };
  },
};

export const clientNodeRoutes: readonly Route[] = [stats, collectGarbage, metadata];
