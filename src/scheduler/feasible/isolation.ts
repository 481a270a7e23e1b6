import { autoDriver } from '../../model/driver-choice.ts';
import { predictIsolation } from '../../model/isolation-ability.ts';
import { enforcedFloor, floorOfTask, highestFloor, type IsolationFloor, isFloor } from '../../model/isolation-floor.ts';
import type { Job } from '../../model/job.ts';
import type { Namespace } from '../../model/namespace.ts';
import type { Task } from '../../model/task.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import type { Requirement } from './requirement.ts';

/** What a task may not fall below, its namespace's own demand included where that is enforced. */
export function demandedFloor(
  job: Job,
  group: TaskGroup,
  task: Task,
  namespace: Pick<Namespace, 'Isolation'> | undefined,
): IsolationFloor {
  return highestFloor([enforcedFloor(namespace?.Isolation), floorOfTask(job, group, task)]);
}

/** Each task would reach its floor, by what the node proved. Nothing is asked where nothing is demanded. */
export function isolationRequirement(
  job: Job,
  group: TaskGroup,
  namespace: Pick<Namespace, 'Isolation'> | undefined,
): Requirement | undefined {
  const demands = group.Tasks
    // of those the floor is asked where their driver is
    .filter(({ Driver }) => Driver !== autoDriver)
    .map((task) => ({ task, floor: demandedFloor(job, group, task, namespace) }))
    .filter(({ floor }) => isFloor(floor));
  if (demands.length === 0) return undefined;
  return {
    unique: false,
    unmetBy: (node) => {
      for (const { task, floor } of demands) {
        const predicted = predictIsolation(node.Attributes, group, task, floor);
        const wanted = `isolation: task "${task.Name}" demands ${floorText(floor)}`;
        if (predicted === null) return `${wanted}, driver "${task.Driver}" proves none here`;
        if (predicted.missing.length > 0) {
          return `${wanted}, ${task.Driver} gives "${predicted.rung}" here; missing: ${predicted.missing.join(', ')}`;
        }
      }
      return undefined;
    },
  };
}

function floorText({ min, require }: IsolationFloor): string {
  return [...(min === 'none' ? [] : [`"${min}"`]), ...require].join(' and ');
}
