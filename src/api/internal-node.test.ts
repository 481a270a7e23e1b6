import { afterEach, expect, it } from 'vitest';
import { httpServerConnection } from '../client/http-server-connection.ts';
import type { AllocationUpdate, NodeCredentials, ServerConnection } from '../client/server-connection.ts';
import { Fault } from '../lib/fault.ts';
import { fill } from '../model/fill.ts';
import type { Node } from '../model/node.ts';
import { TaskState } from '../model/task-state.ts';
import { allocationRow, type FakeServer, jobRow, nodeRow, startFakeServer, testId } from './fake-agent.ts';

const who: NodeCredentials = { nodeId: testId(1), secretId: testId(2) };
const node = nodeRow({ ID: who.nodeId, SecretID: who.secretId, Name: 'far' });
/** Nanoseconds: wider than 53 bits. */
const instant = 1_700_000_000_123_456_800;
let server: FakeServer;
afterEach(() => server.close());

/** Keeps what it was told. */
function recording() {
  const seen: { nodes: Node[]; updates: AllocationUpdate[] } = { nodes: [], updates: [] };
  const check = ({ secretId }: NodeCredentials) => {
    if (secretId !== who.secretId) throw new Fault('denied', 'wrong secret');
  };
  const connection: ServerConnection = {
    async register(each) {
      seen.nodes.push(each);
      return { index: 4, heartbeatTtlMs: 1000 };
    },
    async heartbeat(caller) {
      check(caller);
      throw new Fault('not_found', 'node not found');
    },
    watchAllocations: async (_who, index) => ({ index: index + 1, allocations: { a: 1 } }),
    readAllocations: async (_who, ids) => ids.map((ID) => allocationRow({ ID, CreateTime: instant })),
    async updateAllocations(_who, updates) {
      seen.updates.push(...updates);
    },
    readJob: async (_who, Namespace, ID, Version) => jobRow({ ID, Namespace, Version }),
  };
  return { seen, connection };
}

async function connected(joinToken: string) {
  const { seen, connection } = recording();
  server = await startFakeServer({ nodes: { connection, admits: (token) => token === 'let me in' } });
  return { seen, remote: httpServerConnection({ servers: [server.address], joinToken, tls: null }) };
}

const signal = new AbortController().signal;

it('a node registers with the join token, is known by its secret then, and everything passes both ways unchanged', async () => {
  const { seen, remote } = await connected('let me in');
  expect(await remote.register(node, signal)).toEqual({ index: 4, heartbeatTtlMs: 1000 });
  expect(seen.nodes).toEqual([node]);
  expect(await remote.watchAllocations(who, 7, signal)).toEqual({ index: 8, allocations: { a: 1 } });
  expect(await remote.readAllocations(who, [testId(3)], signal)).toEqual([
    allocationRow({ ID: testId(3), CreateTime: instant }),
  ]);
  expect(await remote.readJob(who, 'dev', 'a/b', 3, signal)).toEqual(
    jobRow({ ID: 'a/b', Namespace: 'dev', Version: 3 }),
  );
  const update = {
    ID: testId(3),
    NodeID: who.nodeId,
    ClientStatus: 'running',
    ClientDescription: 'd',
    TaskStates: {
      t: fill(TaskState, { State: 'running', Events: [{ Type: 'Started', Time: instant }] }),
    },
    DeploymentStatus: null,
    NetworkStatus: null,
  };
  await remote.updateAllocations(who, [update], signal);
  expect(seen.updates).toEqual([update]);
  await expect(remote.heartbeat(who, signal)).rejects.toMatchObject({ kind: 'not_found' });
  await expect(remote.heartbeat({ ...who, secretId: 'x' }, signal)).rejects.toMatchObject({ kind: 'denied' });
  remote.close();
});

it('a node that nobody knows is not let in without the join token; a known one is', async () => {
  const { seen, remote } = await connected('');
  await expect(remote.register(node, signal)).rejects.toMatchObject({ kind: 'denied' });
  expect(seen.nodes).toEqual([]);
  await server.put({ table: 'nodes', id: node.ID, row: node });
  await remote.register(node, signal);
  expect(seen.nodes).toHaveLength(1);
  remote.close();
});
