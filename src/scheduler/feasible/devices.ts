import type { TaskGroup } from '../../model/task-group.ts';
import type { Requirement } from './requirement.ts';

/** Devices are not handed out yet, so no node has what a task asks for. */
export function devicesRequirement(group: TaskGroup): Requirement | undefined {
  const asks = group.Tasks.some((task) => (task.Resources.Devices ?? []).length > 0);
  return asks ? { unique: false, unmetBy: () => 'missing devices' } : undefined;
}
