/** Rows as this server writes them: the indexes and times every change sets are set here and nowhere else. */

import { formatInstant } from '../lib/instant.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Deployment } from '../model/deployment.ts';
import { Evaluation } from '../model/evaluation.ts';
import { fill } from '../model/fill.ts';
import type { Job } from '../model/job.ts';
import type { Node, NodeEvent } from '../model/node.ts';
import type { Draft } from './draft.ts';

/** What clients read in `TriggeredBy`. */
export type Trigger =
  | 'job-register'
  | 'job-deregister'
  | 'job-scaling'
  | 'periodic-job'
  | 'node-update'
  | 'node-drain'
  | 'alloc-stop'
  | 'alloc-failure'
  | 'queued-allocs'
  | 'failed-follow-up'
  | 'max-plan-attempts'
  | 'deployment-watcher'
  | 'scheduled'
  | 'rolling-update'
  | 'preemption'
  | 'max-disconnect-timeout'
  | 'reconnect';

/** A pending evaluation of a job. */
export function jobEvaluation(id: string, job: Job, trigger: Trigger, more: Partial<Evaluation> = {}): Evaluation {
  return fill(Evaluation, {
    ID: id,
    Namespace: job.Namespace,
    Priority: job.Priority,
    Type: job.Type,
    TriggeredBy: trigger,
    JobID: job.ID,
    JobModifyIndex: job.ModifyIndex,
    Status: 'pending',
    ...more,
  });
}

/** Stores it with the indexes and times of this write; who created it when stays. */
export function putEvaluation(draft: Draft, evaluation: Evaluation): Evaluation {
  const before = draft.get('evaluations', evaluation.ID);
  const row = {
    ...evaluation,
    CreateIndex: before?.CreateIndex ?? draft.index,
    CreateTime: before?.CreateTime ?? draft.now,
    ModifyIndex: draft.index,
    ModifyTime: draft.now,
  };
  draft.put('evaluations', row);
  return row;
}

/** A change of the server's part of an allocation: the client reads it again, and with it what its namespace demands now. */
export function putAllocation(draft: Draft, allocation: Allocation): Allocation {
  const before = draft.get('allocations', allocation.ID);
  const { NamespaceIsolation: _, ...own } = allocation;
  const demand = draft.get('namespaces', allocation.Namespace)?.Isolation ?? null;
  const row = {
    ...own,
    ...(demand === null ? {} : { NamespaceIsolation: demand }),
    CreateIndex: before?.CreateIndex ?? draft.index,
    CreateTime: before?.CreateTime ?? draft.now,
    ModifyIndex: draft.index,
    AllocModifyIndex: draft.index,
    ModifyTime: draft.now,
  };
  draft.put('allocations', row);
  return row;
}

/** A change of the client's part: the client knows it already. */
export function putClientReport(draft: Draft, allocation: Allocation): void {
  draft.put('allocations', { ...allocation, ModifyIndex: draft.index, ModifyTime: draft.now });
}

export function putDeployment(draft: Draft, deployment: Deployment): void {
  const before = draft.get('deployments', deployment.ID);
  draft.put('deployments', {
    ...deployment,
    CreateIndex: before?.CreateIndex ?? draft.index,
    CreateTime: before?.CreateTime ?? draft.now,
    ModifyIndex: draft.index,
    ModifyTime: draft.now,
  });
}

/** Stores it with the indexes of this write. */
export function putNode(draft: Draft, node: Node): Node {
  const before = draft.get('nodes', node.ID);
  const row = { ...node, CreateIndex: before?.CreateIndex ?? draft.index, ModifyIndex: draft.index };
  draft.put('nodes', row);
  return row;
}

/** A job's spec changed: a new version, which nobody runs yet. */
export function putJobVersion(draft: Draft, job: Job): Job {
  const row = { ...job, ModifyIndex: draft.index, JobModifyIndex: draft.index };
  draft.put('jobs', row);
  draft.put('jobVersions', row);
  return row;
}

const keptEvents = 10;

/** The node's events with one more; the last ten are kept. */
export function withEvent(
  draft: Draft,
  node: Node,
  subsystem: string,
  message: string,
  details: NodeEvent['Details'] = null,
): Node {
  const event = {
    Message: message,
    Subsystem: subsystem,
    Details: details,
    Timestamp: formatInstant(draft.now),
    // Nomad's first event has none: it was made before the node was written.
    CreateIndex: draft.get('nodes', node.ID) === undefined ? 0 : draft.index,
  };
  return { ...node, Events: [...(node.Events ?? []), event].slice(-keptEvents) };
}
