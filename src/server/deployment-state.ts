/** What a deployment knows of its allocations, and what that makes of it. Pure steps on a draft; the watching is in deployment-watcher.ts. */
import { formatInstant } from '../lib/instant.ts';
import type { Allocation, AllocDeploymentStatus } from '../model/allocation.ts';
import type { Deployment, DeploymentState } from '../model/deployment.ts';
import { jobId, jobVersionId } from '../model/job-id.ts';
import { runningDescription } from '../scheduler/reconcile/deployments.ts';
import type { Draft } from './draft.ts';
import { isActive } from './job-status.ts';
import { putAllocation, putDeployment } from './rows.ts';

/** Texts that Nomad's command line and API clients show and compare. */
export const deploymentText = {
  paused: 'Deployment is paused',
  successful: 'Deployment completed successfully',
  failedByUser: 'Deployment marked as failed',
  failedProgress: 'Failed due to progress deadline',
  failedAllocations: 'Failed due to unhealthy allocations',
  stopped: 'Cancelled because job is stopped',
} as const;

/** Nothing will change about it any more. */
export function isOver(deployment: Deployment): boolean {
  return !isActive(deployment);
}

/** An allocation joined its deployment. */
export function countPlacement(draft: Draft, allocation: Allocation): void {
  changeGroup(draft, allocation, (state) => {
    const isCanary = allocation.DeploymentStatus?.Canary ?? false;
    const canaries = state.PlacedCanaries ?? [];
    return {
      ...state,
      PlacedAllocs: state.PlacedAllocs + 1,
      PlacedCanaries:
        isCanary && !canaries.includes(allocation.ID) ? [...canaries, allocation.ID] : state.PlacedCanaries,
      RequireProgressBy: state.PlacedAllocs === 0 ? deadline(draft, state) : state.RequireProgressBy,
    };
  });
}

/** A client said whether an allocation is healthy. Progress moves the deadline on. */
export function countHealth(draft: Draft, allocation: Allocation, before: AllocDeploymentStatus | null): void {
  const was = before?.Healthy ?? null;
  const is = allocation.DeploymentStatus?.Healthy ?? null;
  if (was === is) return;
  changeGroup(draft, allocation, (state) => ({
    ...state,
    HealthyAllocs: state.HealthyAllocs + Number(is === true) - Number(was === true),
    UnhealthyAllocs: state.UnhealthyAllocs + Number(is === false) - Number(was === false),
    RequireProgressBy: is === true ? deadline(draft, state) : state.RequireProgressBy,
  }));
}

function deadline(draft: Draft, state: DeploymentState): DeploymentState['RequireProgressBy'] {
  return state.ProgressDeadline === 0 ? state.RequireProgressBy : formatInstant(draft.now + state.ProgressDeadline);
}

function changeGroup(draft: Draft, allocation: Allocation, change: (state: DeploymentState) => DeploymentState): void {
  const deployment = allocation.DeploymentID === '' ? undefined : draft.get('deployments', allocation.DeploymentID);
  const state = deployment?.TaskGroups?.[allocation.TaskGroup];
  if (deployment === undefined || state === undefined || isOver(deployment)) return;
  putDeployment(draft, {
    ...deployment,
    TaskGroups: { ...deployment.TaskGroups, [allocation.TaskGroup]: change(state) },
  });
}

/** Everything asked for is there and healthy, and canaries are promoted. */
export function isComplete(deployment: Deployment): boolean {
  const groups = Object.values(deployment.TaskGroups ?? {});
  return groups.every((state) => state.HealthyAllocs >= state.DesiredTotal && !waitsForPromotion(state));
}

/** Every group with canaries wants them promoted without a user, and all of them are healthy. */
export function autoPromotes(draft: Draft, deployment: Deployment): boolean {
  const waiting = Object.values(deployment.TaskGroups ?? {}).filter(waitsForPromotion);
  const isReady = (state: DeploymentState): boolean =>
    state.AutoPromote && healthyCanaries(draft, state) >= state.DesiredCanaries;
  return waiting.length > 0 && waiting.every(isReady);
}

export function waitsForPromotion({ DesiredCanaries, Promoted }: DeploymentState): boolean {
  return DesiredCanaries > 0 && !Promoted;
}

export function healthyCanaries(draft: Draft, { PlacedCanaries }: DeploymentState): number {
  return (PlacedCanaries ?? []).filter((id) => draft.get('allocations', id)?.DeploymentStatus?.Healthy === true).length;
}

/** Their canaries are good: they are canaries no more, and the other allocations follow, with a deadline of their own. */
export function promoteGroups(draft: Draft, deployment: Deployment, isWanted: (group: string) => boolean): void {
  const groups: { [name: string]: DeploymentState } = { ...deployment.TaskGroups };
  for (const [name, state] of Object.entries(groups)) {
    if (!isWanted(name) || !waitsForPromotion(state)) continue;
    groups[name] = { ...state, Promoted: true, RequireProgressBy: deadline(draft, state) };
    for (const id of state.PlacedCanaries ?? []) {
      const canary = draft.get('allocations', id);
      if (canary?.DeploymentStatus == null) continue;
      const DeploymentStatus = { ...canary.DeploymentStatus, Canary: false, ModifyIndex: draft.index };
      putAllocation(draft, { ...canary, DeploymentStatus });
    }
  }
  const StatusDescription = deployment.Status === 'running' ? runningDescription(groups) : deployment.StatusDescription;
  putDeployment(draft, { ...deployment, TaskGroups: groups, StatusDescription });
}

/** The deployment did what it should: its job version is one to go back to. */
export function succeed(draft: Draft, deployment: Deployment): void {
  putDeployment(draft, { ...deployment, Status: 'successful', StatusDescription: deploymentText.successful });
  markStable(draft, deployment.Namespace, deployment.JobID, deployment.JobVersion, true);
}

/** false: there is no such version. */
export function markStable(draft: Draft, namespace: string, id: string, version: number, stable: boolean): boolean {
  const row = draft.get('jobVersions', jobVersionId(namespace, id, version));
  if (row === undefined) return false;
  if (row.Stable === stable) return true;
  draft.put('jobVersions', { ...row, Stable: stable, ModifyIndex: draft.index });
  const job = draft.get('jobs', jobId(namespace, id));
  if (job?.Version === version) draft.put('jobs', { ...job, Stable: stable, ModifyIndex: draft.index });
  return true;
}
