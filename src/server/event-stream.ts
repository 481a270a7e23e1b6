/**
 * What changed, for those who follow it: one batch of events for each write, the newest hundred kept for whoever comes late.
 * A type names what kind of write it was, as Nomad's log entries do; every row that it changed is an event of that type.
 */
import type { Allocation } from '../model/allocation.ts';
import type { Deployment } from '../model/deployment.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import type { Node } from '../model/node.ts';
import type { NodePool } from '../model/node-pool.ts';
import type { Commit, CommitListener } from './context.ts';

interface Topics {
  readonly Job: Job;
  readonly Evaluation: Evaluation;
  readonly Allocation: Allocation;
  readonly Deployment: Deployment;
  readonly Node: Node;
  readonly NodePool: NodePool;
}

export type StreamEvent = {
  [T in keyof Topics]: {
    readonly topic: T;
    readonly type: string;
    readonly key: string;
    /** Other ids by which it is found: of the job, the deployment. */
    readonly filterKeys: readonly string[];
    /** Empty: it belongs to none. */
    readonly namespace: string;
    readonly row: Topics[T];
  };
}[keyof Topics];

export interface EventBatch {
  readonly index: number;
  readonly events: readonly StreamEvent[];
}

const keptBatches = 100;
/** Whoever lags so far behind is cut off: it is told to come again with the index it has. */
const mostWaiting = 1000;

interface Follower {
  readonly waiting: EventBatch[];
  wake: () => void;
  lost: boolean;
}

export class EventStream implements CommitListener {
  readonly #kept: EventBatch[] = [];
  readonly #followers = new Set<Follower>();

  committed(commit: Commit): void {
    const events = eventsOf(commit);
    if (events.length === 0) return;
    const batch = { index: commit.index, events };
    this.#kept.push(batch);
    if (this.#kept.length > keptBatches) this.#kept.shift();
    for (const follower of this.#followers) {
      follower.waiting.push(batch);
      if (follower.waiting.length > mostWaiting) follower.lost = true;
      follower.wake();
    }
  }

  /** From this index on, as far as it is kept; 0: what comes from now on. Ends with the signal, or where the caller is too slow. */
  async *follow(from: number, signal: AbortSignal): AsyncIterable<EventBatch> {
    const waiting = from === 0 ? [] : this.#kept.filter(({ index }) => index >= from);
    const follower: Follower = { waiting, wake: () => {}, lost: false };
    this.#followers.add(follower);
    const stop = (): void => follower.wake();
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted && !follower.lost) {
        const batch = follower.waiting.shift();
        if (batch !== undefined) yield batch;
        else await new Promise<void>((resolve) => (follower.wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.#followers.delete(follower);
    }
  }
}

function eventsOf(commit: Commit): readonly StreamEvent[] {
  const type = typeOf(commit);
  const events: StreamEvent[] = [];
  for (const [id, row] of commit.changed('jobs')) {
    const job = row ?? commit.before('jobs', id);
    if (job !== undefined)
      events.push({ topic: 'Job', type, key: job.ID, filterKeys: [], namespace: job.Namespace, row: job });
  }
  const of = (row: {
    readonly JobID: string;
    readonly DeploymentID?: string;
    readonly Namespace: string;
    readonly ID: string;
  }) => ({
    type,
    key: row.ID,
    filterKeys: [row.JobID, row.DeploymentID ?? ''].filter((key) => key !== ''),
    namespace: row.Namespace,
  });
  // what is collected as garbage is no news
  for (const row of commit.changed('evaluations').values())
    if (row !== null) events.push({ topic: 'Evaluation', ...of(row), row });
  for (const row of commit.changed('allocations').values())
    if (row !== null) events.push({ topic: 'Allocation', ...of(row), row });
  for (const row of commit.changed('deployments').values())
    if (row !== null)
      events.push({ topic: 'Deployment', type, key: row.ID, filterKeys: [row.JobID], namespace: row.Namespace, row });
  for (const [id, row] of commit.changed('nodes')) {
    const node = row ?? commit.before('nodes', id);
    if (node !== undefined)
      events.push({ topic: 'Node', type, key: node.ID, filterKeys: [], namespace: '', row: node });
  }
  for (const [id, row] of commit.changed('nodePools')) {
    const pool = row ?? commit.before('nodePools', id);
    if (pool !== undefined)
      events.push({ topic: 'NodePool', type, key: pool.Name, filterKeys: [], namespace: '', row: pool });
  }
  return events;
}

/** The first that fits: a registration also makes an evaluation, a plan also changes deployments. */
function typeOf(commit: Commit): string {
  return (
    typeOfJobs(commit) ??
    typeOfNodes(commit) ??
    typeOfAllocations(commit) ??
    typeOfDeployments(commit) ??
    typeOfPools(commit) ??
    'EvaluationUpdated'
  );
}

function typeOfJobs(commit: Commit): string | undefined {
  for (const job of commit.changed('jobs').values()) {
    if (job === null || (job.Stop && job.JobModifyIndex === commit.index)) return 'JobDeregistered';
    if (job.JobModifyIndex === commit.index) return 'JobRegistered';
  }
  return undefined;
}

function typeOfNodes(commit: Commit): string | undefined {
  for (const [id, node] of commit.changed('nodes')) {
    if (node === null) return 'NodeDeregistration';
    const before = commit.before('nodes', id);
    if (before === undefined) return 'NodeRegistration';
    if (JSON.stringify(before.DrainStrategy) !== JSON.stringify(node.DrainStrategy)) return 'NodeDrain';
    if (before.SchedulingEligibility !== node.SchedulingEligibility) return 'NodeEligibility';
    return before.Events?.length !== node.Events?.length ? 'NodeEvent' : 'NodeRegistration';
  }
  return undefined;
}

function typeOfAllocations(commit: Commit): string | undefined {
  for (const [id, allocation] of commit.changed('allocations')) {
    if (allocation === null) continue;
    const before = commit.before('allocations', id);
    if (before === undefined || before.DesiredStatus !== allocation.DesiredStatus) return 'PlanResult';
    return before.DesiredTransition === allocation.DesiredTransition
      ? 'AllocationUpdated'
      : 'AllocationUpdateDesiredStatus';
  }
  return undefined;
}

function typeOfDeployments(commit: Commit): string | undefined {
  for (const [id, deployment] of commit.changed('deployments')) {
    if (deployment === null) continue;
    const before = commit.before('deployments', id);
    if (before === undefined || before.Status !== deployment.Status) return 'DeploymentStatusUpdate';
    const promoted = (row: Deployment): number =>
      Object.values(row.TaskGroups ?? {}).filter((state) => state.Promoted).length;
    return promoted(before) === promoted(deployment) ? 'DeploymentAllocHealth' : 'DeploymentPromotion';
  }
  return undefined;
}

function typeOfPools(commit: Commit): string | undefined {
  for (const pool of commit.changed('nodePools').values())
    return pool === null ? 'NodePoolDeleted' : 'NodePoolUpserted';
  return undefined;
}
