/** A state of plain maps and a writer that applies decisions to it as the server does: what the scheduler's tests stand on. */

import { assert } from '../lib/assert.ts';
import { compareText } from '../lib/order.ts';
import { seededRandom } from '../lib/seeded-random.ts';
import type { Allocation } from '../model/allocation.ts';
import { canonicalJob } from '../model/canonical.ts';
import type { Deployment } from '../model/deployment.ts';
import { Evaluation } from '../model/evaluation.ts';
import { fill } from '../model/fill.ts';
import type { Job } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { Node } from '../model/node.ts';
import type { Input } from '../model/schema.ts';
import { allocationsFit, isClientTerminal, isTerminal } from './fit.ts';
import { createSchedule } from './schedule.ts';
import type { Decision } from './scheduler.ts';
import type { ServerSnapshot } from './snapshot.ts';

/** A ready node with 4000 MHz, 8 GB and 100 GB; two of the same class unless told otherwise. */
export function testNode(id: string, changes: Partial<Node> = {}): Node {
  const node = fill(Node, {
    ID: id,
    Name: `name-of-${id}`,
    Datacenter: 'dc1',
    NodePool: 'default',
    Status: 'ready',
    SchedulingEligibility: 'eligible',
    Attributes: { 'kernel.name': 'linux', 'nomad.version': '2.0.6', 'nomad.service_discovery': 'true' },
    Meta: {},
    Drivers: { raw_exec: { Detected: true, Healthy: true }, mock_driver: { Detected: true, Healthy: true } },
    NodeResources: {
      Cpu: { CpuShares: 4000, TotalCpuCores: 4, ReservableCpuCores: [0, 1, 2, 3] },
      Memory: { MemoryMB: 8192 },
      Disk: { DiskMB: 100_000 },
      Networks: [{ Mode: 'host', Device: 'lo', CIDR: '127.0.0.1/32', IP: '127.0.0.1', MBits: 1000 }],
      MinDynamicPort: 20_000,
      MaxDynamicPort: 32_000,
    },
  });
  const merged = { ...node, ...changes };
  const { Datacenter, NodeClass, NodePool, Attributes, Meta, HostVolumes, Drivers } = merged;
  return {
    ...merged,
    ComputedClass: `v1:${JSON.stringify([Datacenter, NodeClass, NodePool, Attributes, Meta, HostVolumes, Drivers])}`,
  };
}

/** A service of one group `g` with one task; `group` and `job` change it. */
export function testJob(id: string, group: Input<Job['TaskGroups'][number]> = {}, job: Input<Job> = {}): Job {
  const task = { Name: 't', Driver: 'mock_driver', Resources: { CPU: 100, MemoryMB: 128 } };
  return canonicalJob(
    { ID: id, TaskGroups: [{ Name: 'g', Count: 1, Tasks: [task], ...group }], ...job },
    { namespace: 'default', region: 'global', nodePool: 'default' },
  );
}

type Rows = {
  jobs: Map<string, Job>;
  jobVersions: Map<string, Job>;
  allocations: Map<string, Allocation>;
  evaluations: Map<string, Evaluation>;
  deployments: Map<string, Deployment>;
  nodes: Map<string, Node>;
  nodePools: Map<string, object>;
  namespaces: Map<string, object>;
  schedulerConfiguration: Map<string, object>;
};

export class TestCluster {
  readonly random: () => number;
  readonly schedule = createSchedule();
  /** Unix nanoseconds. */
  now = 1_700_000_000_000_000_000;
  index = 1;
  nodesIndex = 1;
  readonly rows: Rows = {
    jobs: new Map(),
    jobVersions: new Map(),
    allocations: new Map(),
    evaluations: new Map(),
    deployments: new Map(),
    nodes: new Map(),
    nodePools: new Map(),
    namespaces: new Map(),
    schedulerConfiguration: new Map(),
  };
  readonly #byNode = new Map<string, Set<string>>();
  #ids = 0;

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  newId(): string {
    return `id-${String(++this.#ids).padStart(6, '0')}`;
  }

  get snapshot(): ServerSnapshot {
    return {
      index: this.index,
      get: ((table: keyof Rows, id: string) => this.rows[table].get(id)) as ServerSnapshot['get'],
      scan: ((table: keyof Rows) => this.rows[table].values()) as ServerSnapshot['scan'],
      by: ((table: keyof Rows, index: string, key: string) => this.#by(table, index, key)) as ServerSnapshot['by'],
      tableIndex: () => this.nodesIndex,
    };
  }

  *#by(table: keyof Rows, index: string, key: string): Iterable<object> {
    if (table === 'allocations' && index === 'nodeLive') {
      for (const id of this.#byNode.get(key) ?? []) {
        const allocation = this.rows.allocations.get(id)!;
        if (!isTerminal(allocation)) yield allocation;
      }
      return;
    }
    if (table === 'evaluations' && index === 'jobOpen') {
      for (const row of this.rows.evaluations.values()) {
        if (row.Status !== 'complete' && row.Status !== 'canceled' && jobId(row.Namespace, row.JobID) === key)
          yield row;
      }
      return;
    }
    assert(index === 'job', `the scheduler asks by ${index}`);
    for (const row of this.rows[table as 'allocations' | 'deployments' | 'jobVersions'].values()) {
      if (jobId(row.Namespace, 'JobID' in row ? row.JobID : row.ID) === key) yield row;
    }
  }

  putNode(node: Node): Node {
    this.nodesIndex = ++this.index;
    this.rows.nodes.set(node.ID, node);
    return node;
  }

  addNodes(count: number, changes: Partial<Node> = {}): readonly Node[] {
    return Array.from({ length: count }, (_, at) => this.putNode(testNode(`node-${at}`, changes)));
  }

  /** Registers a version of the job, as the server does; its evaluation is not run yet. */
  putJob(job: Job): Job {
    const index = ++this.index;
    const before = this.rows.jobs.get(jobId(job.Namespace, job.ID));
    const row: Job = {
      ...job,
      Version: before === undefined ? 0 : before.Version + 1,
      CreateIndex: before?.CreateIndex ?? index,
      ModifyIndex: index,
      JobModifyIndex: index,
    };
    this.rows.jobs.set(jobId(job.Namespace, job.ID), row);
    this.rows.jobVersions.set(jobVersionId(job.Namespace, job.ID, row.Version), row);
    return row;
  }

  putAllocation(allocation: Allocation): Allocation {
    const before = this.rows.allocations.get(allocation.ID);
    const index = ++this.index;
    const row = {
      ...allocation,
      CreateIndex: before?.CreateIndex ?? index,
      ModifyIndex: index,
      AllocModifyIndex: index,
      ModifyTime: this.now,
    };
    this.rows.allocations.set(row.ID, row);
    const there = this.#byNode.get(row.NodeID) ?? new Set();
    this.#byNode.set(row.NodeID, there.add(row.ID));
    return row;
  }

  /** What a client says of one of its allocations. */
  report(id: string, changes: Partial<Allocation>): Allocation {
    return this.putAllocation({ ...this.allocation(id), ...changes });
  }

  allocation(id: string): Allocation {
    return this.rows.allocations.get(id)!;
  }

  /** What a client says of an allocation's health. */
  health(id: string, Healthy: boolean): Pick<Allocation, 'DeploymentStatus'> {
    const Canary = this.allocation(id).DeploymentStatus?.Canary ?? false;
    return { DeploymentStatus: { Healthy, Timestamp: '', Canary, ModifyIndex: 0 } };
  }

  /** Tasks ended with an error, now. */
  fail(id: string): Allocation {
    const TaskStates = { t: { FinishedAt: new Date(this.now / 1e6).toISOString(), State: 'dead', Failed: true } };
    return this.report(id, { ClientStatus: 'failed', TaskStates: TaskStates as never });
  }

  evaluation(job: Pick<Job, 'ID' | 'Type' | 'Namespace'>, changes: Partial<Evaluation> = {}): Evaluation {
    return fill(Evaluation, {
      ID: this.newId(),
      Namespace: job.Namespace,
      Priority: 50,
      Type: job.Type,
      TriggeredBy: 'job-register',
      JobID: job.ID,
      JobModifyIndex: this.rows.jobs.get(jobId(job.Namespace, job.ID))?.JobModifyIndex ?? 0,
      Status: 'pending',
      ...changes,
    });
  }

  decide(evaluation: Evaluation): Decision {
    const context = { snapshot: this.snapshot, now: this.now, newId: () => this.newId(), random: this.random };
    return this.schedule(evaluation, context);
  }

  /** Decides and applies. */
  run(evaluation: Evaluation): Decision {
    const decision = this.decide(evaluation);
    this.apply(decision);
    return decision;
  }

  /** Registers a job and runs its evaluation. */
  register(job: Job): Decision {
    return this.run(this.evaluation(this.putJob(job)));
  }

  evaluate(job: Job, changes: Partial<Evaluation> = {}): Decision {
    return this.run(this.evaluation(job, changes));
  }

  apply({ plan, evaluation, followUps }: Decision): void {
    if (plan.deployment !== null)
      this.rows.deployments.set(plan.deployment.ID, { ...plan.deployment, CreateIndex: ++this.index });
    for (const { ID, ...update } of plan.deploymentUpdates) {
      this.rows.deployments.set(ID, { ...this.rows.deployments.get(ID)!, ...update });
    }
    for (const stop of plan.stops) this.putAllocation(stop);
    for (const placement of plan.placements) {
      this.putAllocation(placement);
      if (placement.DeploymentStatus?.Canary) this.#countCanary(placement);
      const previous = this.rows.allocations.get(placement.PreviousAllocation);
      if (previous !== undefined) this.putAllocation({ ...previous, NextAllocation: placement.ID });
    }
    for (const row of [evaluation, ...followUps]) {
      if (row.Status === 'blocked') this.#cancelBlocked(row);
      this.rows.evaluations.set(row.ID, row);
    }
  }

  #countCanary({ ID, DeploymentID, TaskGroup }: Allocation): void {
    const deployment = this.rows.deployments.get(DeploymentID)!;
    const state = deployment.TaskGroups![TaskGroup]!;
    const changed = { ...state, PlacedCanaries: [...(state.PlacedCanaries ?? []), ID] };
    this.rows.deployments.set(DeploymentID, {
      ...deployment,
      TaskGroups: { ...deployment.TaskGroups, [TaskGroup]: changed },
    });
  }

  /** A user, or the deployment by itself, takes the canaries of all groups for good. */
  promote({ ID }: Deployment): void {
    const deployment = this.rows.deployments.get(ID)!;
    const groups = Object.entries(deployment.TaskGroups ?? {});
    for (const [, state] of groups) {
      for (const id of state.PlacedCanaries ?? []) {
        this.report(id, { DeploymentStatus: { ...this.allocation(id).DeploymentStatus!, Canary: false } });
      }
    }
    const promoted = Object.fromEntries(groups.map(([name, state]) => [name, { ...state, Promoted: true }]));
    this.rows.deployments.set(ID, { ...deployment, TaskGroups: promoted });
  }

  /** A job has one blocked evaluation. */
  #cancelBlocked({ JobID }: Evaluation): void {
    for (const other of this.rows.evaluations.values()) {
      if (other.Status !== 'blocked' || other.JobID !== JobID) continue;
      this.rows.evaluations.set(other.ID, { ...other, Status: 'canceled' });
    }
  }

  /** Those that are to run and have not ended, by name. */
  live(job: string): readonly Allocation[] {
    return [...this.rows.allocations.values()]
      .filter((allocation) => allocation.JobID === job && !isTerminal(allocation))
      .sort((a, b) => compareText(a.Name, b.Name));
  }

  /** What no cluster may ever show; empty: all is well. */
  violations(): readonly string[] {
    const problems: string[] = [];
    for (const node of this.rows.nodes.values()) {
      const there = [...(this.#byNode.get(node.ID) ?? [])].map((id) => this.allocation(id));
      const fit = allocationsFit(node, there);
      if (!fit.fits) problems.push(`${node.ID}: ${fit.dimension}`);
    }
    for (const job of this.rows.jobs.values()) {
      for (const group of job.TaskGroups) {
        const there = this.live(job.ID).filter((allocation) => allocation.TaskGroup === group.Name);
        const live = there.filter((allocation) => !allocation.DeploymentStatus?.Canary);
        if (there.length - live.length > (group.Update?.Canary ?? 0))
          problems.push(`${job.ID}.${group.Name}: ${there.length - live.length} canaries`);
        // a canary that was promoted has the name of one that it will replace
        const names = new Set(live.map(({ Name, JobVersion }) => `${Name} ${JobVersion}`));
        const isSystem = job.Type === 'system' || job.Type === 'sysbatch';
        const most = isSystem ? this.rows.nodes.size : job.Stop ? 0 : group.Count;
        if (live.length > most) problems.push(`${job.ID}.${group.Name}: ${live.length} live of ${most}`);
        if (!isSystem && names.size !== live.length) problems.push(`${job.ID}.${group.Name}: a name is there twice`);
      }
    }
    return problems;
  }

  /** Clients do what they are told: pending ones run and get healthy, stopped ones end. */
  settle(): void {
    for (const allocation of [...this.rows.allocations.values()]) {
      const node = this.rows.nodes.get(allocation.NodeID);
      if (node === undefined || node.Status !== 'ready' || isClientTerminal(allocation)) continue;
      if (allocation.DesiredStatus !== 'run') this.report(allocation.ID, { ClientStatus: 'complete' });
      else if (allocation.ClientStatus === 'pending' || allocation.DeploymentStatus === null) {
        this.report(allocation.ID, { ClientStatus: 'running', ...this.health(allocation.ID, true) });
      }
    }
  }
}
