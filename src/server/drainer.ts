/**
 * Empties nodes that are drained.
 *
 *   draining ──service allocations moved, as many at once as their migrate block allows──▶ only system ones left ──moved──▶ complete
 *       └──deadline──▶ everything moved at once ──▶ complete
 *
 * An allocation is moved by marking it (DesiredTransition.Migrate) and evaluating its job; batch work is left to end until the deadline.
 */
import { messageOf } from '../lib/fault.ts';
import { parseInstant } from '../lib/instant.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { Node } from '../model/node.ts';
import { isClientTerminal, isTerminal } from '../scheduler/fit.ts';
import { allocationJob } from '../state/server-tables.ts';
import type { Commit, CommitListener, ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { drainMetadata } from './node-commands.ts';
import { jobEvaluation, putAllocation, putEvaluation, putNode, withEvent } from './rows.ts';

const checkEveryMs = 1000;

export class Drainer implements CommitListener {
  readonly #context: ServerContext;
  readonly #draining = new Set<string>();
  #concerned = false;
  #moving = false;
  #cancel: (() => void) | null = null;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  start(): void {
    for (const node of this.#context.store.snapshot().scan('nodes'))
      if (node.DrainStrategy !== null) this.#draining.add(node.ID);
    this.#concerned = true;
    this.#schedule();
    this.#move();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  committed(commit: Commit): void {
    for (const [id, node] of commit.changed('nodes')) {
      if (node === null || node.DrainStrategy === null) this.#draining.delete(id);
      else {
        this.#draining.add(id);
        this.#concerned = true;
      }
    }
    if (this.#draining.size > 0 && commit.changed('allocations').size > 0) this.#concerned = true;
    this.#move();
  }

  #schedule(): void {
    this.#cancel = this.#context.clock.after(checkEveryMs, () => {
      if (this.#draining.size > 0) this.#concerned = true;
      this.#move();
      if (this.#cancel !== null) this.#schedule();
    });
  }

  #move(): void {
    if (this.#moving || !this.#concerned || this.#draining.size === 0) return;
    this.#moving = true;
    this.#concerned = false;
    const moved = this.#context.write((draft) => {
      for (const id of this.#draining) drain(this.#context, draft, id);
    });
    moved
      .catch((error: unknown) => this.#context.log.warn('a drain could not be moved on', { reason: messageOf(error) }))
      .finally(() => {
        this.#moving = false;
        this.#move();
      });
  }
}

/** One step of a node's drain. */
function drain(context: ServerContext, draft: Draft, nodeId: string): void {
  const node = draft.get('nodes', nodeId);
  if (node === undefined || node.DrainStrategy === null) return;
  const { Deadline, ForceDeadline, IgnoreSystemJobs } = node.DrainStrategy;
  const forced = Deadline < 0 || (parseInstant(ForceDeadline) > 0 && parseInstant(ForceDeadline) <= draft.now);
  const there = [...draft.by('allocations', 'node', nodeId)]
    .filter((allocation) => !isClientTerminal(allocation))
    .map((allocation) => ({ allocation, job: allocationJob(draft.head, allocation) }));
  const counted = IgnoreSystemJobs ? there.filter(({ job }) => !isSystem(job)) : there;
  if (counted.length === 0) {
    complete(draft, node, forced);
    return;
  }
  const systemOnly = counted.every(({ job }) => isSystem(job));
  const jobs = new Map<string, Job>();
  for (const { allocation, job } of counted) {
    if (isTerminal(allocation) || allocation.DesiredTransition.Migrate === true) continue;
    if (!forced && !(isSystem(job) ? systemOnly : job?.Type === 'service' && mayMove(draft, allocation, job))) continue;
    mark(draft, allocation);
    const key = jobId(allocation.Namespace, allocation.JobID);
    const current = draft.get('jobs', key) ?? job;
    if (current !== null) jobs.set(key, current);
  }
  for (const job of jobs.values()) {
    const more = { NodeID: nodeId, NodeModifyIndex: node.ModifyIndex };
    putEvaluation(draft, jobEvaluation(context.newId(), job, 'node-drain', more));
  }
}

function isSystem(job: Job | null): boolean {
  return job?.Type === 'system' || job?.Type === 'sysbatch';
}

/** At most `migrate.max_parallel` of a group are away at once: on their way, or there but not healthy yet. */
function mayMove(draft: Draft, allocation: Allocation, job: Job): boolean {
  const group = job.TaskGroups.find((one) => one.Name === allocation.TaskGroup);
  if (group === undefined) return true;
  const parallel = group.Migrate?.MaxParallel ?? 1;
  let healthy = 0;
  for (const other of draft.by('allocations', 'job', jobId(allocation.Namespace, allocation.JobID))) {
    const stays = other.TaskGroup === group.Name && !isTerminal(other) && other.DesiredTransition.Migrate !== true;
    if (stays && isHealthy(other)) healthy++;
  }
  // One that is not healthy is no loss to the others: it may go at once.
  if (!isHealthy(allocation)) return true;
  return healthy > Math.max(0, group.Count - parallel);
}

function isHealthy(allocation: Allocation): boolean {
  if (allocation.ClientStatus !== 'running') return false;
  const { Healthy } = allocation.DeploymentStatus ?? { Healthy: null };
  return Healthy ?? allocation.DeploymentID === '';
}

function mark(draft: Draft, allocation: Allocation): void {
  putAllocation(draft, { ...allocation, DesiredTransition: { ...allocation.DesiredTransition, Migrate: true } });
}

function complete(draft: Draft, node: Node, forced: boolean): void {
  const details = forced ? { deadline_reached: 'true' } : null;
  const done: Node = { ...node, Drain: false, DrainStrategy: null, LastDrain: drainMetadata(draft, node, 'complete') };
  putNode(draft, withEvent(draft, done, 'Drain', 'Node drain complete', details));
}
