/** Whether an allocation counts as healthy for its deployment or migration. Pure. Source: Nomad's update block, health_check = "task_states". */
import { formatDuration } from '../lib/duration.ts';
import type { AllocDeploymentStatus } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { type Member, roleOf } from './lifecycle.ts';
import { rfc3339, type TaskRun } from './task-decide.ts';

export interface HealthRules {
  readonly minHealthyNs: number;
  readonly deadlineNs: number;
}

export interface WatchedTask extends Member {
  /** Unix milliseconds; 0: not running. */
  readonly runningSinceMs: number;
}

export type Health =
  | { readonly state: 'healthy' }
  /** Task → what its event says. */
  | { readonly state: 'unhealthy'; readonly events: readonly (readonly [task: string, message: string])[] }
  | { readonly state: 'undecided'; readonly lookAgainMs: number };

/** Null: nobody waits for this allocation's health. */
export function healthRules(job: Job, group: TaskGroup, deploymentId: string): HealthRules | null {
  if (job.Type !== 'service') return null;
  const rules = deploymentId === '' ? group.Migrate : group.Update;
  if (rules === null || rules.HealthCheck === 'manual') return null;
  return { minHealthyNs: rules.MinHealthyTime, deadlineNs: rules.HealthyDeadline };
}

/**
 * What a deployment is told of an allocation at this moment; pure. A failed task, or one that should last and ended, makes it unhealthy
 * for good.
 */
export function healthOf(
  tasks: readonly WatchedTask[],
  rules: HealthRules,
  watchedSinceMs: number,
  nowMs: number,
): Health {
  const watched = tasks.filter((task) => task.role !== 'poststop');
  const failed = watched.filter((task) => task.state === 'dead' && task.failed);
  if (failed.length > 0) {
    return { state: 'unhealthy', events: failed.map((task) => [task.name, 'Unhealthy because of failed task']) };
  }
  const lasting = watched.filter((task) => task.role === 'main' || task.role.endsWith('-sidecar'));
  const ended = lasting.filter((task) => task.state === 'dead');
  if (ended.length > 0) {
    return { state: 'unhealthy', events: ended.map((task) => [task.name, 'Unhealthy because of dead task']) };
  }
  const deadlineMs = watchedSinceMs + rules.deadlineNs / 1e6;
  const waiting = lasting.filter((task) => task.state !== 'running');
  const healthyAtMs = Math.max(0, ...lasting.map((task) => task.runningSinceMs)) + rules.minHealthyNs / 1e6;
  if (waiting.length === 0 && nowMs >= healthyAtMs) return { state: 'healthy' };
  if (nowMs < deadlineMs) {
    const next = waiting.length === 0 ? Math.min(healthyAtMs, deadlineMs) : deadlineMs;
    return { state: 'undecided', lookAgainMs: Math.max(1, next - nowMs) };
  }
  const least = formatDuration(rules.minHealthyNs);
  const deadline = formatDuration(rules.deadlineNs);
  const message = `Task not running for min_healthy_time of ${least} by healthy_deadline of ${deadline}`;
  const late = waiting.length > 0 ? waiting : lasting;
  return { state: 'unhealthy', events: late.map((task) => [task.name, message]) };
}

/** Decided health as the servers are told it; whether it is a canary is theirs to say. */
export function deploymentStatus(
  { state }: Health,
  known: AllocDeploymentStatus | null,
  nowMs: number,
): AllocDeploymentStatus {
  return {
    Healthy: state === 'healthy',
    Timestamp: rfc3339(nowMs),
    Canary: known?.Canary ?? false,
    ModifyIndex: known?.ModifyIndex ?? 0,
  };
}

/** A task as it runs, in the shape that its group's order and health are decided by. */
export function watchedTask(task: Task, run: TaskRun): WatchedTask {
  const state = run.phase === 'dead' ? 'dead' : run.state.State === 'running' ? 'running' : 'pending';
  const since = state === 'running' && run.state.StartedAt !== null ? Date.parse(run.state.StartedAt) : 0;
  return {
    name: task.Name,
    role: roleOf(task),
    leader: task.Leader,
    state,
    failed: run.state.Failed,
    neverStarted: run.state.StartedAt === null,
    runningSinceMs: since,
  };
}
