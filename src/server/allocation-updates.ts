/** What clients report about their allocations. Reports may come late, twice or in another order: an older one never replaces a newer. */
import type { AllocationUpdate } from '../client/server-connection.ts';
import { parseInstant } from '../lib/instant.ts';
import { formatJson } from '../lib/json.ts';
import type { Allocation, AllocDeploymentStatus } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import { isClientTerminal } from '../scheduler/fit.ts';
import { mayReschedule } from '../scheduler/reconcile/reschedule.ts';
import { allocationJob } from '../state/server-tables.ts';
import type { ServerContext } from './context.ts';
import { countHealth } from './deployment-state.ts';
import type { Draft } from './draft.ts';
import { jobEvaluation, putClientReport, putEvaluation } from './rows.ts';

/** The client's part of an allocation: what an update carries. */
export type AllocationReport = AllocationUpdate;

/** Applies the reports of one node in the order given. Those about allocations that are not the node's, or gone, are left out. */
export async function updateAllocations(
  context: ServerContext,
  nodeId: string,
  reports: readonly AllocationReport[],
): Promise<void> {
  // Of reports that were taken before nothing is put, and so nothing is written.
  await context.write((draft) => {
    const failed = new Map<string, Job>();
    for (const report of reports) {
      const allocation = draft.get('allocations', report.ID);
      if (allocation?.NodeID !== nodeId || !saysMore(allocation, report)) continue;
      const updated = merge(draft, allocation, report);
      putClientReport(draft, updated);
      countHealth(draft, updated, allocation.DeploymentStatus);
      if (updated.ClientStatus === 'failed' && allocation.ClientStatus !== 'failed')
        noteFailure(draft, updated, failed);
    }
    for (const job of failed.values()) putEvaluation(draft, jobEvaluation(context.newId(), job, 'alloc-failure'));
  });
}

function noteFailure(draft: Draft, allocation: Allocation, failed: Map<string, Job>): void {
  const key = jobId(allocation.Namespace, allocation.JobID);
  const job = draft.get('jobs', key);
  // A follow-up waits for it already, or nothing is to come after it.
  if (job === undefined || job.Stop || allocation.FollowupEvalID !== '' || allocation.DesiredStatus !== 'run') return;
  const group = allocationJob(draft, allocation)?.TaskGroups?.find(({ Name }) => Name === allocation.TaskGroup);
  if (mayReschedule(allocation, group?.ReschedulePolicy ?? null)) failed.set(key, job);
}

function saysMore(allocation: Allocation, report: AllocationReport): boolean {
  const known = reportOf(allocation);
  if (formatJson(known) === formatJson(reportOf(report))) return false;
  const [was, is] = [latest(known.TaskStates), latest(report.TaskStates)];
  if (is !== was) return is > was;
  // Nothing new from the tasks: what ended stays ended.
  return !(isClientTerminal(allocation) && allocation.ClientStatus !== 'lost' && !isOver(report.ClientStatus));
}

const isOver = (status: string): boolean => status === 'complete' || status === 'failed';

function reportOf(row: AllocationReport | Allocation): Omit<AllocationReport, 'NodeID' | 'ID'> {
  const { ClientStatus, ClientDescription, TaskStates, DeploymentStatus, NetworkStatus } = row;
  const health = DeploymentStatus === null ? null : { ...DeploymentStatus, Canary: false, ModifyIndex: 0 };
  return { ClientStatus, ClientDescription, TaskStates: TaskStates ?? {}, DeploymentStatus: health, NetworkStatus };
}

/** When the tasks last said something: events come in order, each with its time. */
function latest(states: AllocationReport['TaskStates']): number {
  let newest = 0;
  for (const state of Object.values(states)) {
    const event = state.Events?.at(-1)?.Time ?? 0;
    newest = Math.max(newest, event, parseInstant(state.StartedAt), parseInstant(state.FinishedAt));
  }
  return newest;
}

function merge(draft: Draft, allocation: Allocation, report: AllocationReport): Allocation {
  return {
    ...allocation,
    ClientStatus: report.ClientStatus,
    ClientDescription: report.ClientDescription,
    TaskStates: report.TaskStates,
    NetworkStatus: report.NetworkStatus,
    DeploymentStatus: mergeHealth(draft, allocation.DeploymentStatus, report.DeploymentStatus),
  };
}

/** Whether it is a canary the server knows; health once said is not taken back by a report that has none. */
function mergeHealth(
  draft: Draft,
  known: AllocDeploymentStatus | null,
  said: AllocDeploymentStatus | null,
): AllocDeploymentStatus | null {
  if (said === null || said.Healthy === null) return known;
  if (known?.Healthy === said.Healthy) return known;
  return { ...said, Canary: known?.Canary ?? said.Canary, ModifyIndex: draft.index };
}

/** The rows a client asks for, each with its job; the previous form of the join is in the row where the job is gone. */
export function withJobs(context: ServerContext, nodeId: string, ids: readonly string[]): readonly Allocation[] {
  const snapshot = context.store.snapshot();
  const rows = ids.map((id) => snapshot.get('allocations', id)).filter((row) => row?.NodeID === nodeId) as Allocation[];
  return rows.map((row) => ({ ...row, Job: allocationJob(snapshot, row) }));
}
