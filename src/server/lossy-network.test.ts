import { describe, expect, it } from 'vitest';
import type { AllocationUpdate, ServerConnection } from '../client/server-connection.ts';
import { seededRandom } from '../lib/seeded-random.ts';
import { jobId } from '../model/job-id.ts';
import { allocationsFit, isTerminal } from '../scheduler/fit.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import { lossyConnection } from './lossy-connection.ts';
import { settle } from './manual-clock.ts';
import { type Cluster, register, startCluster, testJob, testNode } from './test-cluster.ts';

const never = new AbortController().signal;

/** A client of the simplest kind: reports what it is told to run as running, what it is told to stop as complete; asks again when it fails. */
class TinyClient {
  readonly id: string;
  readonly #server: ServerConnection;
  readonly #states = new Map<string, AllocationUpdate>();
  #time = 0;

  constructor(id: string, server: ServerConnection) {
    this.id = id;
    this.#server = server;
  }

  async step(): Promise<void> {
    const who = { nodeId: this.id, secretId: `secret-of-${this.id}` };
    try {
      await this.#server.register(testNode(this.id), never);
      await this.#server.heartbeat(who, never);
      const watch = await this.#server.watchAllocations(who, 0, never);
      for (const row of await this.#server.readAllocations(who, Object.keys(watch.allocations), never)) {
        const before = this.#states.get(row.ID)?.ClientStatus ?? 'pending';
        const status = row.DesiredStatus === 'run' && before !== 'complete' ? 'running' : 'complete';
        if (status === before) continue;
        const TaskStates = { t: { Events: [{ Time: ++this.#time }] } } as never;
        const report = { ID: row.ID, NodeID: this.id, ClientStatus: status, ClientDescription: '', TaskStates };
        this.#states.set(row.ID, { ...report, DeploymentStatus: null, NetworkStatus: null });
      }
      await this.#server.updateAllocations(who, [...this.#states.values()], never);
    } catch {
      // Tried again with the next step, as a client does.
    }
  }

  status(id: string): string | undefined {
    return this.#states.get(id)?.ClientStatus;
  }
}

/** Nothing is given twice, and summaries say what there is. */
function checkSnapshot(snapshot: ServerSnapshot): void {
  for (const node of snapshot.scan('nodes')) {
    const there = [...snapshot.by('allocations', 'node', node.ID)].filter((allocation) => !isTerminal(allocation));
    expect(allocationsFit(node, there)).toEqual({ fits: true, dimension: '' });
  }
  for (const job of snapshot.scan('jobs')) {
    const key = jobId(job.Namespace, job.ID);
    const counts = snapshot.get('jobSummaries', key)?.Summary?.['g'];
    const all = [...snapshot.by('allocations', 'job', key)];
    expect(counts?.Running).toBe(all.filter((one) => one.ClientStatus === 'running').length);
    expect(counts?.Starting).toBe(all.filter((one) => one.ClientStatus === 'pending').length);
  }
}

const order = ['pending', 'running', 'complete', 'lost'];

/** What a client reported never goes back to what it reported before. */
function checkForward(snapshot: ServerSnapshot, statuses: Map<string, string>): void {
  for (const { ID, ClientStatus } of snapshot.scan('allocations')) {
    const before = statuses.get(ID) ?? 'pending';
    expect([before, ClientStatus, order.indexOf(ClientStatus) >= order.indexOf(before)]).toEqual([
      before,
      ClientStatus,
      true,
    ]);
    statuses.set(ID, ClientStatus);
  }
}

async function watchEverything(cluster: Cluster, signal: AbortSignal): Promise<number> {
  let seen = 0;
  let last = cluster.store.snapshot().index;
  const statuses = new Map<string, string>();
  while (!signal.aborted) {
    await cluster.store.changed({ after: last, tables: ['allocations', 'jobs', 'nodes', 'evaluations'] }, signal);
    const snapshot = cluster.store.snapshot();
    expect(snapshot.index).toBeGreaterThanOrEqual(last);
    last = snapshot.index;
    checkSnapshot(snapshot);
    checkForward(snapshot, statuses);
    seen++;
  }
  return seen;
}

async function run(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const cluster = await startCluster({ journal: { delay: () => new Promise(setImmediate) } });
  const rates = { lost: 0.05, answerLost: 0.05, twice: 0.5 };
  const delay = async (): Promise<void> => {
    // One in five is so late that newer reports overtake it.
    const longest = random() < 0.2 ? 200 : 6;
    for (let turns = Math.floor(random() * longest); turns > 0; turns--) await new Promise(setImmediate);
  };
  const connection = lossyConnection(cluster.server.connection(), { random, delay, rates });
  const clients = ['n1', 'n2', 'n3'].map((id) => new TinyClient(id, connection));
  const stop = new AbortController();
  const watching = watchEverything(cluster, stop.signal);
  const counts = new Map<string, number>();
  for (let step = 0; step < 40; step++) {
    const id = `job${Math.floor(random() * 4)}`;
    if (random() < 0.2 && counts.has(id)) {
      counts.set(id, 0);
      await cluster.server.deregisterJob({
        namespace: 'default',
        id,
        purge: false,
        evalPriority: 0,
        noShutdownDelay: false,
      });
    } else {
      const Count = 1 + Math.floor(random() * 4);
      counts.set(id, Count);
      await register(cluster.server, testJob(id, { TaskGroups: [{ ...testJob(id).TaskGroups![0], Count }] }));
    }
    await Promise.all(clients.map((client) => client.step()));
    await cluster.clock.advance(1000);
  }
  Object.assign(rates, { lost: 0, answerLost: 0, twice: 0 });
  for (let round = 0; round < 6; round++) {
    await Promise.all(clients.map((client) => client.step()));
    await cluster.clock.advance(1000);
    await settle();
  }
  stop.abort();
  expect(await watching).toBeGreaterThan(10);
  const snapshot = cluster.store.snapshot();
  checkSnapshot(snapshot);
  for (const [id, count] of counts) {
    const allocations = [...snapshot.by('allocations', 'job', jobId('default', id))];
    const running = allocations.filter((one) => one.ClientStatus === 'running');
    expect([id, running.length]).toEqual([id, count]);
    for (const one of allocations) {
      expect(one.ClientStatus).toBe(clients.find((client) => client.id === one.NodeID)?.status(one.ID));
    }
    expect(snapshot.get('jobs', jobId('default', id))?.Status).toBe(count === 0 ? 'dead' : 'running');
  }
  await cluster.server.close();
}

describe('server and clients over a bad network', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('agree in the end, and never give anything twice (seed %i)', async (seed) => {
    await run(seed);
  });
});
