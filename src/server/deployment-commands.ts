/** What a user does to a deployment: promote, pause, fail, and say of allocations whether they are healthy. */
import { Fault } from '../lib/fault.ts';
import { formatInstant } from '../lib/instant.ts';
import { AllocDeploymentStatus } from '../model/allocation.ts';
import type { Deployment } from '../model/deployment.ts';
import { fill } from '../model/fill.ts';
import type { Job } from '../model/job.ts';
import { jobId } from '../model/job-id.ts';
import { runningDescription } from '../scheduler/reconcile/deployments.ts';
import type { ServerContext } from './context.ts';
import {
  countHealth,
  deploymentText,
  healthyCanaries,
  isOver,
  promoteGroups,
  waitsForPromotion,
} from './deployment-state.ts';
import { failDeployment } from './deployment-watcher.ts';
import type { Draft } from './draft.ts';
import { jobEvaluation, putAllocation, putDeployment, putEvaluation } from './rows.ts';

export interface DeploymentChange {
  readonly evalId: string;
  readonly evalCreateIndex: number;
  readonly deploymentModifyIndex: number;
  /** Where failing it went back to one. */
  readonly revertedJobVersion: number | null;
  readonly index: number;
}

const refused = (text: string): Fault => new Fault('invalid', text, { status: 500 });

/** `groups` null: all. Faults, with Nomad's texts: unknown, over, or a canary that is not healthy yet. */
export function promoteDeployment(
  context: ServerContext,
  request: { readonly id: string; readonly groups: readonly string[] | null },
): Promise<DeploymentChange> {
  return change(context, request.id, 'promote', (draft, deployment) => {
    const states = Object.entries(deployment.TaskGroups ?? {});
    const wanted = states.filter(([name]) => request.groups === null || request.groups.includes(name));
    const missing = (request.groups ?? []).filter((name) => deployment.TaskGroups?.[name] === undefined);
    if (missing.length > 0)
      throw refused(`deployment has no task group ${missing.map((name) => `"${name}"`).join(', ')}`);
    const canaries = wanted.filter(([, state]) => waitsForPromotion(state));
    if (canaries.length === 0) throw refused('no canaries to promote');
    for (const [name, state] of canaries) {
      const [healthy, all] = [healthyCanaries(draft, state), state.DesiredCanaries];
      if (healthy < all) throw refused(`Task group "${name}" has ${healthy}/${all} healthy allocations`);
    }
    promoteGroups(draft, deployment, (name) => wanted.some(([each]) => each === name));
    return true;
  });
}

export function pauseDeployment(
  context: ServerContext,
  request: { readonly id: string; readonly pause: boolean },
): Promise<DeploymentChange> {
  return change(context, request.id, request.pause ? 'pause' : 'resume', (draft, deployment) => {
    const [Status, StatusDescription] = request.pause
      ? ['paused', deploymentText.paused]
      : ['running', runningDescription(deployment.TaskGroups)];
    putDeployment(draft, { ...deployment, Status, StatusDescription });
    // what is paused is not scheduled
    return !request.pause;
  });
}

export async function failDeploymentByUser(
  context: ServerContext,
  request: { readonly id: string },
): Promise<DeploymentChange> {
  return change(context, request.id, 'fail', (draft, deployment, job) => {
    failDeployment(context, draft, deployment, job, deploymentText.failedByUser);
    return true;
  });
}

export function setAllocationHealth(
  context: ServerContext,
  request: { readonly id: string; readonly healthy: readonly string[]; readonly unhealthy: readonly string[] },
): Promise<DeploymentChange> {
  if (request.healthy.length + request.unhealthy.length === 0)
    throw refused('must specify at least one healthy/unhealthy allocation ID');
  return change(context, request.id, 'set health of allocations for a', (draft) => {
    for (const [ids, Healthy] of [
      [request.healthy, true],
      [request.unhealthy, false],
    ] as const) {
      for (const id of ids) setHealth(draft, request.id, id, Healthy);
    }
    return true;
  });
}

function setHealth(draft: Draft, deploymentId: string, id: string, Healthy: boolean): void {
  const allocation = draft.get('allocations', id);
  if (allocation === undefined || allocation.DeploymentID !== deploymentId)
    throw refused(`allocation "${id}" is not part of deployment "${deploymentId}"`);
  const before = allocation.DeploymentStatus;
  const DeploymentStatus = fill(AllocDeploymentStatus, {
    ...before,
    Healthy,
    Timestamp: formatInstant(draft.now),
    ModifyIndex: draft.index,
  });
  const changed = { ...allocation, DeploymentStatus };
  putAllocation(draft, changed);
  countHealth(draft, changed, before);
}

/** `act` puts the rows; true: the scheduler has to look at the job. */
async function change(
  context: ServerContext,
  id: string,
  verb: string,
  act: (draft: Draft, deployment: Deployment, job: Job) => boolean,
): Promise<DeploymentChange> {
  const evalId = context.newId();
  const { index, result } = await context.write((draft) => {
    const deployment = draft.get('deployments', id);
    if (deployment === undefined) throw refused(`Deployment ID "${id}" couldn't be found`);
    if (isOver(deployment)) throw refused(`can't ${verb} terminal deployment`);
    const key = jobId(deployment.Namespace, deployment.JobID);
    const before = draft.get('jobs', key);
    if (before === undefined) throw refused(`job "${deployment.JobID}" of the deployment is gone`);
    const base = { deploymentModifyIndex: draft.index, revertedJobVersion: null };
    if (!act(draft, deployment, before)) return { ...base, evalId: '', evalCreateIndex: 0 };
    const job = draft.get('jobs', key)!;
    putEvaluation(
      draft,
      jobEvaluation(evalId, job, 'deployment-watcher', {
        DeploymentID: id,
        Priority: deployment.EvalPriority || job.Priority,
      }),
    );
    const reverted = job.Version === before.Version ? null : job.Version;
    return { ...base, revertedJobVersion: reverted, evalId, evalCreateIndex: draft.index };
  });
  return { ...result, index };
}
