/** A server on an in-memory journal with nodes made by hand and a scheduler just good enough: for the tests of this folder. */

import { silentLog } from '../lib/log.ts';
import { seededRandom } from '../lib/seeded-random.ts';
import { AllocatedResources } from '../model/allocated-resources.ts';
import { Allocation } from '../model/allocation.ts';
import { Deployment } from '../model/deployment.ts';
import { fill } from '../model/fill.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import { Node } from '../model/node.ts';
import type { Input } from '../model/schema.ts';
import { allocationsFit, isTerminal } from '../scheduler/fit.ts';
import type { Decision } from '../scheduler/scheduler.ts';
import { FakeDisk, type FakeJournalOptions, fakeJournal } from '../state/fake-journal.ts';
import { openStore } from '../state/open-store.ts';
import { type ServerStore, serverTables } from '../state/server-tables.ts';
import { ManualClock, settle } from './manual-clock.ts';
import { createServer, type Server, type ServerOptions } from './server.ts';
import type { Schedule } from './worker.ts';

export interface Cluster {
  readonly server: Server;
  readonly store: ServerStore;
  readonly clock: ManualClock;
  readonly disk: FakeDisk;
  readonly newId: () => string;
  /** A server on what this one wrote; this one is closed first, or (as after a kill) just left. */
  restart(): Promise<Cluster>;
}

/** Ids that are the same in every run. */
export function idSource(seed = 0): () => string {
  let next = seed;
  return () => `00000000-0000-4000-8000-${String(++next).padStart(12, '0')}`;
}

export interface ClusterOptions {
  readonly disk?: FakeDisk;
  readonly clock?: ManualClock;
  readonly newId?: () => string;
  readonly journal?: Partial<FakeJournalOptions>;
  readonly server?: Partial<ServerOptions>;
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { disk = new FakeDisk(), clock = new ManualClock(), newId = idSource() } = options;
  const { store } = await openStore({
    tables: serverTables,
    journal: fakeJournal({ disk, ...options.journal }),
    freeze: true,
  });
  const server = createServer({
    store,
    clock,
    region: 'global',
    log: silentLog,
    schedule: simpleSchedule,
    newId,
    random: seededRandom(1),
    ...options.server,
  });
  await server.start();
  await settle();
  return { server, store, clock, disk, newId, restart: () => startCluster({ ...options, disk, clock, newId }) };
}

export function testNode(id: string, more: Input<Node> = {}): Node {
  return fill(Node, {
    ID: id,
    SecretID: `secret-of-${id}`,
    Name: id,
    Datacenter: 'dc1',
    NodePool: 'default',
    Attributes: { 'kernel.name': 'linux' },
    NodeResources: { Cpu: { CpuShares: 1000 }, Memory: { MemoryMB: 1000 }, Disk: { DiskMB: 10_000 } },
    Status: 'initializing',
    ...more,
  });
}

export function testJob(id: string, more: Input<Job> = {}): Input<Job> {
  return {
    ID: id,
    Name: id,
    Type: 'service',
    Datacenters: ['dc1'],
    TaskGroups: [
      {
        Name: 'g',
        Count: 1,
        Tasks: [
          { Name: 't', Driver: 'mock_driver', Config: { run_for: '600s' }, Resources: { CPU: 100, MemoryMB: 50 } },
        ],
        EphemeralDisk: { SizeMB: 150 },
      },
    ],
    ...more,
  };
}

export async function register(server: Server, job: Input<Job>): ReturnType<Server['registerJob']> {
  return server.registerJob({
    job,
    submission: null,
    enforceIndex: false,
    jobModifyIndex: 0,
    preserveCounts: false,
    preserveResources: false,
    evalPriority: 0,
  });
}

/** Every group's count on whatever nodes have room; stops what is lost, marked, too many or of an older version. */
const simpleSchedule: Schedule = (evaluation, { snapshot, now, newId }) => {
  const key = jobId(evaluation.Namespace, evaluation.JobID);
  const job = snapshot.get('jobs', key);
  const stops: Allocation[] = [];
  const placements: Allocation[] = [];
  const queued: { [group: string]: number } = {};
  const there = [...snapshot.by('allocations', 'job', key)].filter((allocation) => !isTerminal(allocation));
  const stop = (allocation: Allocation, DesiredDescription: string, more: Partial<Allocation> = {}): void => {
    stops.push({ ...allocation, DesiredStatus: 'stop', DesiredDescription, ...more });
  };
  const deployment = job === undefined ? null : deploymentFor(job, newId, [...snapshot.by('deployments', 'job', key)]);
  for (const group of new Set([
    ...there.map((one) => one.TaskGroup),
    ...(job?.TaskGroups.map((one) => one.Name) ?? []),
  ])) {
    const wanted = job === undefined || job.Stop ? undefined : job.TaskGroups.find((one) => one.Name === group);
    let kept = 0;
    for (const allocation of there.filter((one) => one.TaskGroup === group)) {
      if (snapshot.get('nodes', allocation.NodeID)?.Status !== 'ready') {
        stop(allocation, 'alloc is lost since its node is down', { ClientStatus: 'lost' });
      } else if (allocation.DesiredTransition.Migrate === true) stop(allocation, 'alloc is being migrated');
      else if (wanted === undefined || kept >= wanted.Count || allocation.JobVersion !== job?.Version)
        stop(allocation, 'alloc not needed');
      else kept++;
    }
    let missing = 0;
    for (let count = kept; wanted !== undefined && count < wanted.Count; count++) {
      const placed = place(job!, group, evaluation.ID, deployment?.ID ?? '', now, newId());
      const node = [...snapshot.scan('nodes')].find((one) => {
        if (one.Status !== 'ready' || one.SchedulingEligibility !== 'eligible') return false;
        const planned = placements.filter((other) => other.NodeID === one.ID);
        const present = [...snapshot.by('allocations', 'node', one.ID)].filter(
          (other) => !stops.some(({ ID }) => ID === other.ID),
        );
        return allocationsFit(one, [...present, ...planned, placed]).fits;
      });
      if (node === undefined) missing++;
      else placements.push({ ...placed, NodeID: node.ID, NodeName: node.Name });
    }
    queued[group] = missing;
  }
  return decision(evaluation, { stops, placements, deployment }, queued, newId);
};

function decision(
  evaluation: Decision['evaluation'],
  plan: Pick<Decision['plan'], 'stops' | 'placements' | 'deployment'>,
  queued: { readonly [group: string]: number },
  newId: () => string,
): Decision {
  const missing = Object.values(queued).some((count) => count > 0);
  const isBlocked = evaluation.Status === 'blocked';
  const blocked = {
    ...evaluation,
    ID: newId(),
    Status: 'blocked',
    TriggeredBy: 'queued-allocs',
    PreviousEval: evaluation.ID,
  };
  const done = { ...evaluation, Status: isBlocked && missing ? 'blocked' : 'complete', QueuedAllocations: queued };
  return {
    plan: { evaluation, deploymentUpdates: [], annotations: null, ...plan },
    evaluation: missing && !isBlocked ? { ...done, BlockedEval: blocked.ID } : done,
    followUps: missing && !isBlocked ? [blocked] : [],
    failures: {},
  };
}

function deploymentFor(job: Job, newId: () => string, known: readonly Deployment[]): Deployment | null {
  if (job.Type !== 'service' || job.Stop || job.Update === null) return null;
  if (known.some((one) => one.JobVersion === job.Version)) return null;
  const groups = job.TaskGroups.map((group) => [
    group.Name,
    {
      DesiredTotal: group.Count,
      ProgressDeadline: group.Update?.ProgressDeadline ?? 0,
      AutoRevert: group.Update?.AutoRevert ?? false,
    },
  ]);
  return fill(Deployment, {
    ID: newId(),
    Namespace: job.Namespace,
    JobID: job.ID,
    JobVersion: job.Version,
    Status: 'running',
    StatusDescription: 'Deployment is running',
    TaskGroups: Object.fromEntries(groups),
    EvalPriority: job.Priority,
  });
}

function place(job: Job, group: string, EvalID: string, DeploymentID: string, now: number, ID: string): Allocation {
  const tasks = job.TaskGroups.find((one) => one.Name === group)!;
  return fill(Allocation, {
    ID,
    EvalID,
    Namespace: job.Namespace,
    JobID: job.ID,
    JobVersion: job.Version,
    TaskGroup: group,
    Name: `${job.ID}.${group}[0]`,
    DesiredStatus: 'run',
    ClientStatus: 'pending',
    DeploymentID,
    CreateTime: now,
    AllocatedResources: fill(AllocatedResources, {
      Tasks: Object.fromEntries(
        tasks.Tasks.map((task) => [
          task.Name,
          { Cpu: { CpuShares: task.Resources?.CPU ?? 0 }, Memory: { MemoryMB: task.Resources?.MemoryMB ?? 0 } },
        ]),
      ),
      Shared: { DiskMB: tasks.EphemeralDisk?.SizeMB ?? 0, Networks: tasks.Networks },
    }),
  });
}
