import { autoDriver, chooseDriver, lackOfVolumes } from '../../model/driver-choice.ts';
import type { Job } from '../../model/job.ts';
import type { Namespace } from '../../model/namespace.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { demandedFloor } from './isolation.ts';
import type { Requirement } from './requirement.ts';

/** Every driver that the group's tasks name is there, healthy, and gives their volumes; for those of "auto", one that keeps the task's floor. */
export function driversRequirement(
  job: Job,
  group: TaskGroup,
  namespace: Pick<Namespace, 'Isolation'> | undefined,
): Requirement {
  const named = group.Tasks.filter(({ Driver }) => Driver !== autoDriver);
  const drivers = [...new Set(named.map(({ Driver }) => Driver))];
  const mounting = named.filter(({ VolumeMounts }) => (VolumeMounts ?? []).length > 0);
  const open = group.Tasks.filter(({ Driver }) => Driver === autoDriver).map((task) => ({
    task,
    floor: demandedFloor(job, group, task, namespace),
  }));
  return {
    unique: false,
    unmetBy: (node) => {
      const allThere = drivers.every((name) => node.Drivers?.[name]?.Detected && node.Drivers[name].Healthy);
      if (!allThere) return 'missing drivers';
      for (const { Name, Driver } of mounting) {
        const lack = lackOfVolumes(node.Attributes, Driver);
        if (lack !== null) return `task "${Name}" mounts volumes, and ${Driver} has ${lack}`;
      }
      for (const { task, floor } of open) {
        const { Driver, Reason } = chooseDriver(node, group, task, floor);
        if (Driver === '') return `no driver for task "${task.Name}": ${Reason}`;
      }
      return undefined;
    },
  };
}
