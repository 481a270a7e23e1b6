import { type NodeRoute, type Route, readMethods, writeMethods } from '../route.ts';

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

/** Unlike Nomad: which drivers the node has, and the programs behind those of plugin_dir. */
const drivers: NodeRoute = {
  kind: 'ask',
  methods: readMethods,
  path: '/v1/client/drivers',
  access: nodeRead,
  target,
  onNode: async (_request, client) => ({ value: client.drivers.list() }),
};

const reloadDrivers: NodeRoute = {
  kind: 'ask',
  methods: writeMethods,
  path: '/v1/client/drivers/reload',
  access: { capability: 'agent:write', scope: 'none' },
  target,
  onNode: async (_request, client) => ({ value: await client.drivers.reload() }),
};

export const clientNodeRoutes: readonly Route[] = [stats, collectGarbage, metadata, drivers, reloadDrivers];
