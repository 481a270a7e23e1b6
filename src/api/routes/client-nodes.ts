import { Fault } from '../../lib/fault.ts';
import type { Json } from '../../lib/json.ts';
import { type ApiRequest, bodyJson } from '../request.ts';
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
  onNode: async (_request, client) => ({ value: client.meta() }),
};

const setMetadata: NodeRoute = {
  kind: 'write',
  methods: ['POST'],
  path: '/v1/client/metadata',
  access: nodeWrite,
  target,
  onNode: async (request, client) => ({ value: await client.setMeta(metaOf(request)) }),
};

/** Values are texts, or null for a key that goes. */
function metaOf(request: ApiRequest): { readonly [key: string]: string | null } {
  const body = bodyJson(request);
  const given = Object.entries(isObject(body) ? body : {}).find(([key]) => key.toLowerCase() === 'meta')?.[1];
  if (!isObject(given) || Object.keys(given).length === 0) throw new Fault('invalid', 'missing required Meta object');
  for (const [key, value] of Object.entries(given)) {
    if (value !== null && typeof value !== 'string')
      throw new Fault('invalid', `the metadata ${JSON.stringify(key)} must be a text, or null to take it away`);
  }
  return given as { readonly [key: string]: string | null };
}

const isObject = (value: unknown): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

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

export const clientNodeRoutes: readonly Route[] = [
  stats,
  collectGarbage,
  metadata,
  setMetadata,
  drivers,
  reloadDrivers,
];
