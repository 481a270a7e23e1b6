import { zeroInstant } from '../../lib/instant.ts';
import type { Deployment, DeploymentState } from '../../model/deployment.ts';
import type { Job } from '../../model/job.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import type { UpdateStrategy } from '../../model/update-strategy.ts';
import { deploymentText } from '../descriptions.ts';
import type { Plan } from '../scheduler.ts';

/** It may still change what runs. */
export function isActive({ Status }: Deployment): boolean {
  return ['running', 'paused', 'pending', 'blocked', 'unblocking', 'initializing'].includes(Status);
}

/** The group is updated step by step, watched by a deployment. */
export function rollingUpdate(job: Job, group: TaskGroup): UpdateStrategy | null {
  return job.Type === 'service' && group.Update !== null && group.Update.MaxParallel > 0 ? group.Update : null;
}

export interface DeploymentScope {
  /** The deployment of this version of the job, if there is one that did not succeed yet. */
  readonly current: Deployment | null;
  readonly updates: Plan['deploymentUpdates'];
}

/** A deployment of an older version, or of a job that is to stop, is cancelled. */
export function deploymentScope(job: Job | undefined, latest: Deployment | undefined): DeploymentScope {
  if (latest === undefined) return { current: null, updates: [] };
  const cancel = (StatusDescription: string): DeploymentScope => ({
    current: null,
    updates: isActive(latest) ? [{ ID: latest.ID, Status: 'cancelled', StatusDescription }] : [],
  });
  if (job === undefined || job.Stop) return cancel(deploymentText.stoppedJob);
  if (latest.JobVersion !== job.Version || latest.JobCreateIndex !== job.CreateIndex)
    return cancel(deploymentText.newerJob);
  return { current: latest.Status === 'successful' ? null : latest, updates: [] };
}

export function newGroupState(update: UpdateStrategy, desiredTotal: number, desiredCanaries: number): DeploymentState {
  return {
    PlacedCanaries: null,
    AutoRevert: update.AutoRevert,
    ProgressDeadline: update.ProgressDeadline,
    RequireProgressBy: zeroInstant,
    Promoted: false,
    DesiredCanaries: desiredCanaries,
    DesiredTotal: desiredTotal,
    PlacedAllocs: 0,
    HealthyAllocs: 0,
    UnhealthyAllocs: 0,
    AutoPromote: update.AutoPromote,
  };
}

/** What a running deployment says of itself: whether it waits for canaries to be promoted, and by whom. */
export function runningDescription(groups: Deployment['TaskGroups']): string {
  const waiting = Object.values(groups ?? {}).filter((state) => state.DesiredCanaries > 0 && !state.Promoted);
  if (waiting.length === 0) return deploymentText.running;
  return waiting.every(({ AutoPromote }) => AutoPromote) ? deploymentText.autoPromotion : deploymentText.needsPromotion;
}

/** Who writes it counts the allocations in it as they are placed and get healthy, and stamps its indexes. */
export function newDeployment(
  id: string,
  job: Job,
  groups: { readonly [group: string]: DeploymentState },
  priority: number,
  now: number,
): Deployment {
  return {
    ID: id,
    Namespace: job.Namespace,
    JobID: job.ID,
    JobVersion: job.Version,
    JobModifyIndex: job.ModifyIndex,
    JobSpecModifyIndex: job.JobModifyIndex,
    JobCreateIndex: job.CreateIndex,
    IsMultiregion: false,
    TaskGroups: groups,
    Status: 'running',
    StatusDescription: runningDescription(groups),
    CreateIndex: 0,
    ModifyIndex: 0,
    CreateTime: now,
    ModifyTime: now,
    EvalPriority: priority,
  };
}
