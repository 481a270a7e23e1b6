/** What decides over a task's restarts and stops, of its job. */
import type { Job } from '../model/job.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { restartsOnSuccess } from './restart-tracker.ts';
import type { TaskRules } from './task-decide.ts';

const noRestarts = { Interval: 0, Attempts: 0, Delay: 0, Mode: 'fail', RenderTemplates: false };
const defaultKillTimeoutNs = 5e9;

/** @param maxKillTimeoutMs the node's limit */
export function taskRules(
  job: Pick<Job, 'Type'>,
  group: Pick<TaskGroup, 'RestartPolicy'>,
  task: Task,
  maxKillTimeoutMs: number,
): TaskRules {
  return {
    policy: task.RestartPolicy ?? group.RestartPolicy ?? noRestarts,
    restartsOnSuccess: restartsOnSuccess(job.Type, task.Lifecycle),
    shutdownDelayNs: task.ShutdownDelay,
    killTimeoutNs: Math.min(task.KillTimeout || defaultKillTimeoutNs, maxKillTimeoutMs * 1e6),
  };
}
