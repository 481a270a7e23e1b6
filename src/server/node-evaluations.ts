import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import type { Node } from '../model/node.ts';
import { isParentJob } from '../model/parent-job.ts';
import { isTerminal } from '../scheduler/fit.ts';
import type { Draft } from './draft.ts';
import { jobEvaluation, putEvaluation, type Trigger } from './rows.ts';

/**
 * One evaluation for every job that a change of the node concerns: those with work on it that has not ended, and those that run on every node.
 * Returns their ids.
 */
export function evaluateNodeJobs(
  draft: Draft,
  node: Node,
  newId: () => string,
  trigger: Trigger = 'node-update',
): readonly string[] {
  const jobs = new Map<string, Job>();
  for (const allocation of draft.by('allocations', 'node', node.ID)) {
    const key = jobId(allocation.Namespace, allocation.JobID);
    const job = draft.get('jobs', key) ?? allocation.Job;
    if (job !== null && !isTerminal(allocation)) jobs.set(key, job);
  }
  for (const job of draft.head.scan('jobs')) {
    if (runsEverywhere(job) && mayRunOn(job, node)) jobs.set(jobId(job.Namespace, job.ID), job);
  }
  return [...jobs.values()].map((job) => {
    const evaluation = jobEvaluation(newId(), job, trigger, { NodeID: node.ID, NodeModifyIndex: draft.index });
    return putEvaluation(draft, evaluation).ID;
  });
}

/** Those that run on every node wait nowhere where a node is not for them: once a namespace demands something else they are looked at again. */
export function evaluateJobsEverywhere(draft: Draft, namespace: string, newId: () => string): void {
  for (const job of [...draft.head.scan('jobs')]) {
    if (job.Namespace === namespace && runsEverywhere(job))
      putEvaluation(draft, jobEvaluation(newId(), job, 'queued-allocs'));
  }
}

function runsEverywhere(job: Job): boolean {
  const isParent = isParentJob(job);
  return (job.Type === 'system' || job.Type === 'sysbatch') && !job.Stop && !isParent;
}

function mayRunOn(job: Job, node: Node): boolean {
  if (job.NodePool !== 'all' && job.NodePool !== node.NodePool) return false;
  return job.Datacenters.some((pattern) => matches(pattern, node.Datacenter));
}

/** `"eu-*"` */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}
