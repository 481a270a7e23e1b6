import type { TaskGroup } from '../../model/task-group.ts';
import type { Requirement } from './requirement.ts';

/** Where a node found device plugins it says so (`plugin.device.gpu`). */
const prefix = 'plugin.device.';

/** Devices are not handed out yet, so no node has what a task asks for; one that has plugins for devices says why they do not help. */
export function devicesRequirement(group: TaskGroup): Requirement | undefined {
  const asks = group.Tasks.some((task) => (task.Resources.Devices ?? []).length > 0);
  if (!asks) return undefined;
  return {
    unique: false,
    unmetBy: ({ Attributes }) => {
      const found = Object.keys(Attributes ?? {}).filter((name) => name.startsWith(prefix));
      if (found.length === 0) return 'missing devices';
      const names = found.map((name) => name.slice(prefix.length)).sort();
      return `missing devices: device plugins (${names.join(', ')}) are not supported by this version`;
    },
  };
}
