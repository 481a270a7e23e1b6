/** Routes of later work. A list that is truly empty answers so; everything else says what is missing. */

import { Fault } from '../../lib/fault.ts';
import type { Access } from '../access.ts';
import { notServed } from '../error-answer.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type ListRoute, type Method, type Route, readMethods, writeMethods } from '../route.ts';

const management: Access = { capability: 'management', scope: 'none' };
const submitJob: Access = { capability: 'submit-job', scope: 'query' };
const agentWrite: Access = { capability: 'agent:write', scope: 'none' };
const operatorRead: Access = { capability: 'operator:read', scope: 'none' };

/**
 * Nothing of this kind can exist yet. The namespaces stand in for its table: there from the first write and hardly changed, they give an
 * index above 0, without which a blocking query would not park.
 */
function empty(path: string, access: Access): ListRoute {
  return {
    kind: 'read',
    methods: readMethods,
    path,
    access,
    tables: ['namespaces'],
    list: {
      rows: () => [],
      order: { token: () => '', compare: () => 0, byCreation: false },
      stub: () => (row: object) => row,
    },
  };
}

/** `mistake`: what the reference complains about before it does anything; then that is said instead. */
function unserved(
  methods: readonly Method[],
  path: string,
  access: Access,
  what: string,
  mistake?: (request: ApiRequest) => string | undefined,
): Route {
  const answer = (request: ApiRequest): Answer => {
    const wrong = mistake?.(request);
    if (wrong !== undefined) throw new Fault('invalid', wrong);
    throw notServed(`${what} not served yet`);
  };
  return { kind: 'ask', methods, path, access, target: { kind: 'agent' }, ask: answer };
}

const absent = (path: string, access: Access, text: string): Route => ({
  kind: 'read',
  methods: readMethods,
  path,
  access,
  tables: [],
  read: (snapshot) => ({ index: snapshot.tableIndex('namespaces'), absent: text }),
});

const all: readonly Method[] = ['GET', 'PUT', 'POST', 'DELETE'];

function refused(path: string, status: number, text: string): Route {
  const answer = (): Answer => {
    throw new Fault('unsupported', text, { status });
  };
  return {
    kind: 'ask',
    methods: all,
    path,
    access: { capability: 'open', scope: 'none' },
    target: { kind: 'agent' },
    ask: answer,
  };
}

const enterprise = [
  '/v1/quotas',
  '/v1/quota',
  '/v1/quota/{id}',
  '/v1/quota-usages',
  '/v1/sentinel/policies',
  '/v1/sentinel/policy/{id}',
  '/v1/recommendations',
  '/v1/recommendations/apply',
  '/v1/recommendation/{id}',
  '/v1/operator/utilization',
];
const readJob: Access = { capability: 'read-job', scope: 'query' };

export const unservedRoutes: readonly Route[] = [
  unserved(all, '/v1/client/allocation/{alloc}/pause', submitJob, 'pausing a task is'),
  unserved(readMethods, '/v1/agent/host', { capability: 'agent:read', scope: 'none' }, 'host data is'),
  unserved(writeMethods, '/v1/agent/join', agentWrite, 'joining servers is', ({ query }) =>
    query.has('address') ? undefined : 'missing address to join',
  ),
  unserved(writeMethods, '/v1/agent/force-leave', agentWrite, 'removing servers is', ({ query }) =>
    query.has('node') ? undefined : 'missing node to force leave',
  ),
  unserved(all, '/v1/agent/schedulers/config', agentWrite, 'changing the number of schedulers is', ({ method }) =>
    method === 'GET' ? undefined : 'Invalid request',
  ),
  unserved(all, '/v1/agent/keyring/{path}', agentWrite, 'there is no gossip here, so its keyring is'),
  unserved(readMethods, '/v1/agent/pprof/{path}', agentWrite, 'profiles are'),
  unserved(readMethods, '/v1/agent/monitor/export', agentWrite, 'exporting old log lines is'),
  unserved(all, '/v1/client/identity', { capability: 'node:read', scope: 'none' }, 'node identities are'),
  unserved(all, '/v1/client/identity/renew', { capability: 'node:write', scope: 'none' }, 'node identities are'),
  unserved(readMethods, '/v1/client/allocation/{alloc}/snapshot', management, 'moving allocation directories is'),
  unserved(readMethods, '/v1/job/{id}/action', { capability: 'alloc-exec', scope: 'query' }, 'running actions is'),
  unserved(all, '/v1/operator/upgrade-check/{path}', operatorRead, 'checks before an upgrade are'),
  unserved(all, '/v1/volumes/{path}', { capability: 'host-volume-read', scope: 'query' }, 'dynamic volumes are'),
  unserved(['DELETE'], '/v1/service/{name}/{id}', submitJob, 'service registrations are'),
  unserved(['PUT', 'POST'], '/v1/volumes', { capability: 'host-volume-read', scope: 'query' }, 'dynamic volumes are'),
  unserved(all, '/v1/agent/servers', { capability: 'agent:write', scope: 'none' }, 'the list of a client’s servers is'),
  unserved(all, '/v1/operator/snapshot', management, 'saving and restoring the state is'),
  unserved(all, '/v1/operator/raft/{path}', management, 'there is no Raft here, so its configuration is'),
  unserved(all, '/v1/operator/autopilot/{path}', operatorRead, 'autopilot is'),
  unserved(all, '/v1/operator/keyring/{path}', management, 'the keyring is'),
  unserved(
    [...writeMethods, 'DELETE'],
    '/v1/var/{path}',
    { capability: 'variables-read', scope: 'query' },
    'variables are',
  ),
  unserved(['GET'], '/ui/{path}', { capability: 'open', scope: 'none' }, 'the web UI is'),
  unserved(all, '/v1/volume/{path}', { capability: 'host-volume-read', scope: 'query' }, 'dynamic volumes are'),
  unserved(all, '/v1/plugin/{path}', { capability: 'plugin:list', scope: 'none' }, 'storage plugins are'),
  absent('/v1/var/{path}', { capability: 'variables-read', scope: 'query' }, 'variable not found'),
  empty('/v1/vars', { capability: 'variables-read', scope: 'query' }),
  empty('/v1/services', readJob),
  empty('/v1/service/{name}', readJob),
  empty('/v1/job/{id}/services', readJob),
  empty('/v1/volumes', { capability: 'host-volume-read', scope: 'query' }),
  empty('/v1/plugins', { capability: 'plugin:list', scope: 'none' }),
  refused('/v1/acl/{path}', 400, 'ACL support disabled'),
  ...enterprise.map((path) => refused(path, 501, 'Nomad Enterprise only endpoint')),
];
