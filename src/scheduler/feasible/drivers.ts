import type { TaskGroup } from '../../model/task-group.ts';
import type { Requirement } from './requirement.ts';

/** Every driver that the group's tasks name is there and healthy. */
export function driversRequirement(group: TaskGroup): Requirement {
  const drivers = [...new Set(group.Tasks.map((task) => task.Driver))];
  return {
    unique: false,
    unmetBy: (node) => {
      const allThere = drivers.every((name) => node.Drivers?.[name]?.Detected && node.Drivers[name].Healthy);
      return allThere ? undefined : 'missing drivers';
    },
  };
}
