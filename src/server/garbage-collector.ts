/**
 * Takes away what is over and old: evaluations with their allocations, dead jobs, ended deployments, nodes that are gone.
 * Of batch jobs that may still be asked for their results (not stopped, same version) allocations stay: without them they would run again.
 */
import { messageOf } from '../lib/fault.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { Job } from '../model/job.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { isClientTerminal } from '../scheduler/fit.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { ServerContext } from './context.ts';
import { isOver } from './deployment-state.ts';
import type { Draft } from './draft.ts';
import { dropOldVersions } from './job-register.ts';

/** Ages in milliseconds. */
export interface GarbageOptions {
  readonly evalMs?: number;
  readonly batchEvalMs?: number;
  readonly jobMs?: number;
  readonly deploymentMs?: number;
  readonly nodeMs?: number;
  readonly intervalMs?: number;
}

const hourMs = 3_600_000;
/** Rows taken away in one write: others write in between. */
const batchSize = 1000;

type Ages = Required<Omit<GarbageOptions, 'intervalMs'>>;

export class GarbageCollector {
  readonly #context: ServerContext;
  readonly #ages: Ages;
  readonly #intervalMs: number;
  #cancel: (() => void) | null = null;

  constructor(context: ServerContext, options: GarbageOptions = {}) {
    const { intervalMs = 300_000, ...ages } = options;
    this.#context = context;
    this.#intervalMs = intervalMs;
    this.#ages = {
      evalMs: hourMs,
      batchEvalMs: 24 * hourMs,
      jobMs: 4 * hourMs,
      deploymentMs: hourMs,
      nodeMs: 24 * hourMs,
      ...ages,
    };
  }

  start(): void {
    this.#cancel = this.#context.clock.after(this.#intervalMs, () => {
      this.collect(this.#ages)
        .catch((error: unknown) =>
          this.#context.log.warn('old rows could not be taken away', { reason: messageOf(error) }),
        )
        .finally(() => this.#cancel !== null && this.start());
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Everything that is over, however young. */
  force(): Promise<void> {
    return this.collect({ evalMs: 0, batchEvalMs: 0, jobMs: 0, deploymentMs: 0, nodeMs: 0 });
  }

  async collect(ages: Ages): Promise<void> {
    await this.#inBatches(collectJobs(this.#context.store.snapshot(), this.#before(ages.jobMs)));
    const evals = collectEvaluations(
      this.#context.store.snapshot(),
      this.#before(ages.evalMs),
      this.#before(ages.batchEvalMs),
    );
    await this.#inBatches(evals);
    await this.#inBatches(collectDeployments(this.#context.store.snapshot(), this.#before(ages.deploymentMs)));
    await this.#inBatches(collectNodes(this.#context.store.snapshot(), this.#before(ages.nodeMs)));
  }

  #before(ageMs: number): number {
    return this.#context.clock.now() - ageMs * 1e6;
  }

  /** Each removal looks again in the write whether it is still right. */
  async #inBatches(removals: readonly Removal[]): Promise<void> {
    for (let at = 0; at < removals.length; at += batchSize) {
      await this.#context.write((draft) => {
        for (const remove of removals.slice(at, at + batchSize)) remove(draft);
      });
    }
  }
}

type Removal = (draft: Draft) => void;

function collectJobs(snapshot: ServerSnapshot, before: number): readonly Removal[] {
  const removals: Removal[] = [];
  for (const job of snapshot.scan('jobs')) {
    if (!isDead(job) || job.SubmitTime > before || !isAllOver(snapshot, jobId(job.Namespace, job.ID))) continue;
    removals.push((draft) => removeJob(draft, job));
  }
  return removals;
}

/** A dead service job that was not stopped stays: it is dead because nothing of it could live, and may be evaluated again. */
function isDead(job: Job): boolean {
  const isBatch = job.Type === 'batch' || job.Type === 'sysbatch';
  return job.Status === 'dead' && (job.Stop || isBatch);
}

function isAllOver(rows: ServerSnapshot | Draft, key: string): boolean {
  for (const _ of rows.by('evaluations', 'jobOpen', key)) return false;
  for (const allocation of rows.by('allocations', 'job', key)) if (!isClientTerminal(allocation)) return false;
  return true;
}

function removeJob(draft: Draft, { Namespace, ID, ModifyIndex }: Job): void {
  const key = jobId(Namespace, ID);
  if (draft.get('jobs', key)?.ModifyIndex !== ModifyIndex || !isAllOver(draft, key)) return;
  for (const { ID: id } of draft.by('allocations', 'job', key)) draft.delete('allocations', id);
  for (const { ID: id } of draft.by('evaluations', 'job', key)) draft.delete('evaluations', id);
  for (const { ID: id } of draft.by('deployments', 'job', key)) draft.delete('deployments', id);
  for (const { Version } of draft.by('jobVersions', 'job', key)) {
    draft.delete('jobVersions', jobVersionId(Namespace, ID, Version));
    draft.delete('jobSubmissions', jobVersionId(Namespace, ID, Version));
  }
  draft.delete('jobs', key);
  draft.delete('jobSummaries', key);
  draft.delete('scalingEvents', key);
  draft.delete('periodicLaunches', key);
}

function collectEvaluations(snapshot: ServerSnapshot, before: number, batchBefore: number): readonly Removal[] {
  const removals: Removal[] = [];
  for (const status of ['complete', 'failed', 'canceled']) {
    for (const evaluation of snapshot.by('evaluations', 'status', status)) {
      const isBatch = evaluation.Type === 'batch' || evaluation.Type === 'sysbatch';
      if (evaluation.ModifyTime <= (isBatch ? batchBefore : before))
        removals.push((draft) => removeEvaluation(draft, evaluation));
    }
  }
  return removals;
}

/** Its allocations go with it where nobody needs them; while one stays, the evaluation stays too. */
function removeEvaluation(draft: Draft, { ID }: Evaluation): void {
  if (draft.get('evaluations', ID) === undefined) return;
  let kept = false;
  const keys = new Set<string>();
  for (const allocation of draft.by('allocations', 'evaluation', ID)) {
    if (isNeeded(draft, allocation)) kept = true;
    else {
      draft.delete('allocations', allocation.ID);
      keys.add(jobId(allocation.Namespace, allocation.JobID));
    }
  }
  if (!kept) draft.delete('evaluations', ID);
  for (const key of keys) dropOldVersions(draft, key);
}

function isNeeded(draft: Draft, allocation: Allocation): boolean {
  if (!isClientTerminal(allocation)) return true;
  const job = draft.get('jobs', jobId(allocation.Namespace, allocation.JobID));
  if (job === undefined || job.Stop) return false;
  const isBatch = job.Type === 'batch' || job.Type === 'sysbatch';
  // The result of batch work, until there is a newer version of the job or it was replaced.
  if (isBatch) return allocation.DesiredStatus === 'run' && allocation.NextAllocation === '';
  if (job.Status === 'dead') return false;
  // A failed one that is not replaced yet may be waited for by a reschedule.
  return allocation.ClientStatus === 'failed' && allocation.DesiredStatus === 'run' && allocation.NextAllocation === '';
}

function collectDeployments(snapshot: ServerSnapshot, before: number): readonly Removal[] {
  const removals: Removal[] = [];
  for (const deployment of snapshot.scan('deployments')) {
    if (!isOver(deployment) || deployment.ModifyTime > before) continue;
    removals.push((draft) => {
      for (const allocation of draft.by('allocations', 'deployment', deployment.ID))
        if (!isClientTerminal(allocation)) return;
      draft.delete('deployments', deployment.ID);
    });
  }
  return removals;
}

function collectNodes(snapshot: ServerSnapshot, before: number): readonly Removal[] {
  const removals: Removal[] = [];
  for (const node of snapshot.scan('nodes')) {
    if (node.Status !== 'down' || node.StatusUpdatedAt * 1e9 > before) continue;
    removals.push((draft) => {
      if (draft.get('nodes', node.ID)?.Status !== 'down') return;
      for (const allocation of draft.by('allocations', 'node', node.ID)) if (!isClientTerminal(allocation)) return;
      draft.delete('nodes', node.ID);
    });
  }
  return removals;
}
