/** For tests: a real API on a real listener, over a real store in memory, with an agent that knows little. */
import { connect, type DroverClient } from '../api-client/index.ts';
import { Fault } from '../lib/fault.ts';
import { httpTransport } from '../lib/node/http-transport.ts';
import { Allocation } from '../model/allocation.ts';
import { Evaluation } from '../model/evaluation.ts';
import { fill } from '../model/fill.ts';
import { Job } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { Node } from '../model/node.ts';
import type { Input } from '../model/schema.ts';
import type { ServerCommands } from '../server/commands.ts';
import { FakeDisk, fakeJournal } from '../state/fake-journal.ts';
import { openStore } from '../state/open-store.ts';
import { type ServerStore, type ServerTables, serverTables } from '../state/server-tables.ts';
import type { Change } from '../state/store.ts';
import type { AgentFacts } from './agent-facts.ts';
import { type Api, type ApiOptions, createApi } from './server.ts';

const member = {
  Name: 'node1.global',
  Addr: '127.0.0.1',
  Port: 4648,
  Tags: {},
  Status: 'alive',
  ProtocolMin: 1,
  ProtocolMax: 5,
  ProtocolCur: 2,
  DelegateMin: 2,
  DelegateMax: 5,
  DelegateCur: 4,
};

const fakeAgent: AgentFacts = {
  region: 'global',
  datacenter: 'dc1',
  name: 'node1',
  self: () => ({ config: { Region: 'global' }, member, stats: {} }),
  members: () => ({ ServerName: 'node1.global', ServerRegion: 'global', ServerDC: 'dc1', Members: [member] }),
  health: () => ({ client: { ok: true, message: 'ok' }, server: { ok: true, message: 'ok' } }),
  leader: () => '127.0.0.1:4647',
  peers: () => ['127.0.0.1:4647'],
  schedulers: () => [],
  async *monitor(_options, signal) {
    yield 'first line\n';
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  },
  metrics: async () => [{ kind: 'gauge', name: 'nomad.runtime.alloc_bytes', value: 5, labels: { host: 'h"1' } }],
  jwks: () => [{ kty: 'RSA', kid: 'k' }],
  reload: async () => {},
};

export interface FakeServer {
  readonly api: Api;
  readonly store: ServerStore;
  readonly address: string;
  readonly client: DroverClient;
  put(...changes: Change<ServerTables>[]): Promise<number>;
  close(): Promise<void>;
}

/** Commands that no test gave answer that they are missing. */
export async function startFakeServer(
  options: Partial<ApiOptions> & { readonly fakeCommands?: Partial<ServerCommands> } = {},
): Promise<FakeServer> {
  const { store } = await openStore({ tables: serverTables, journal: fakeJournal({ disk: new FakeDisk() }) });
  const commands = new Proxy(options.fakeCommands ?? {}, {
    get: (given, name) =>
      Reflect.get(given, name) ??
      (async () => {
        throw new Fault('unsupported', `no command ${String(name)} in this test`);
      }),
  }) as ServerCommands;
  const api = createApi({ store, commands, client: null, agent: fakeAgent, ...options });
  const [address = ''] = await api.listen([{ port: 0 }]);
  const client = connect({ transport: httpTransport({ address: `http://${address}` }) });
  return {
    api,
    store,
    address: `http://${address}`,
    client,
    put: async (...changes) => (await store.write(() => ({ changes, result: null }))).index,
    close: async () => {
      client.close();
      await api.close();
      await store.close();
    },
  };
}

export function jobRow(input: Input<Job>, index = 1): Job {
  const defaults = { Namespace: 'default', Name: input.ID ?? '', Type: 'service', Status: 'running' };
  return fill(Job, { ...defaults, CreateIndex: index, ModifyIndex: index, JobModifyIndex: index, ...input });
}

/** A job as the tables keep it: itself and its version. */
export function jobChanges(job: Job): Change<ServerTables>[] {
  return [
    { table: 'jobs', id: jobId(job.Namespace, job.ID), row: job },
    { table: 'jobVersions', id: jobVersionId(job.Namespace, job.ID, job.Version), row: job },
  ];
}

export function allocationRow(input: Input<Allocation>): Allocation {
  return fill(Allocation, { Namespace: 'default', DesiredStatus: 'run', ClientStatus: 'running', ...input });
}

export function evaluationRow(input: Input<Evaluation>): Evaluation {
  return fill(Evaluation, { Namespace: 'default', Status: 'complete', ...input });
}

export function nodeRow(input: Input<Node>): Node {
  return fill(Node, { Status: 'ready', SchedulingEligibility: 'eligible', NodePool: 'default', ...input });
}

export function testId(number: number): string {
  return `${number.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
}
