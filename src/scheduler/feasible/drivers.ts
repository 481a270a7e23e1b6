import { autoDriver, chooseDriver, lackOfVolumes } from '../../model/driver-choice.ts';
import type { Job } from '../../model/job.ts';
import type { Namespace } from '../../model/namespace.ts';
import type { Node } from '../../model/node.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { demandedFloor, floorOn } from './isolation.ts';
import type { Requirement } from './requirement.ts';

/** What nodes that lack drivers are counted under. */
export const missingDrivers = 'missing drivers';

/** For people: `missing drivers: docker (Failed to connect to docker daemon: …)`. */
export function whichDriversAreMissing(node: Pick<Node, 'Drivers'>, group: TaskGroup): string {
  const missing = driversOf(group).filter((name) => !isThere(node, name));
  const told = missing.map((name) => {
    const { HealthDescription = '' } = node.Drivers?.[name] ?? {
      HealthDescription: 'this node knows none of that name',
    };
    return HealthDescription === '' ? name : `${name} (${HealthDescription})`;
  });
  return `${missingDrivers}: ${told.join(', ')}`;
}

/** Those that tasks name. */
function driversOf(group: TaskGroup): readonly string[] {
  return [...new Set(group.Tasks.map(({ Driver }) => Driver).filter((name) => name !== autoDriver))];
}

function isThere(node: Pick<Node, 'Drivers'>, name: string): boolean {
  const driver = node.Drivers?.[name];
  return driver?.Detected === true && driver.Healthy === true;
}

/** Every driver that the group's tasks name is there, healthy, and gives their volumes; for those of "auto", one that keeps the task's floor. */
export function driversRequirement(
  job: Job,
  group: TaskGroup,
  namespace: Pick<Namespace, 'Isolation'> | undefined,
): Requirement {
  const named = group.Tasks.filter(({ Driver }) => Driver !== autoDriver);
  const drivers = driversOf(group);
  const mounting = named.filter(({ VolumeMounts }) => (VolumeMounts ?? []).length > 0);
  const open = group.Tasks.filter(({ Driver }) => Driver === autoDriver).map((task) => ({
    task,
    demanded: demandedFloor(job, group, task, namespace),
  }));
  return {
    unique: false,
    unmetBy: (node) => {
      if (!drivers.every((name) => isThere(node, name))) return missingDrivers;
      for (const { Name, Driver } of mounting) {
        const lack = lackOfVolumes(node.Attributes, Driver);
        if (lack !== null) return `task "${Name}" mounts volumes, and ${Driver} has ${lack}`;
      }
      for (const { task, demanded } of open) {
        const { Driver, Reason } = chooseDriver(node, group, task, floorOn(node, demanded));
        if (Driver === '') return `no driver for task "${task.Name}": ${Reason}`;
      }
      return undefined;
    },
  };
}
