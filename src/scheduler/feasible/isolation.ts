import { autoDriver } from '../../model/driver-choice.ts';
import { predictIsolation } from '../../model/isolation-ability.ts';
import {
  enforcedFloor,
  floorOfNode,
  floorOfTask,
  highestFloor,
  type IsolationFloor,
  isFloor,
} from '../../model/isolation-floor.ts';
import type { Job } from '../../model/job.ts';
import type { Namespace } from '../../model/namespace.ts';
import type { Node } from '../../model/node.ts';
import type { Task } from '../../model/task.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import type { Requirement } from './requirement.ts';

/** What a task may not fall below wherever it is placed, its namespace's own demand included where that is enforced. */
export function demandedFloor(
  job: Job,
  group: TaskGroup,
  task: Task,
  namespace: Pick<Namespace, 'Isolation'> | undefined,
): IsolationFloor {
  return highestFloor([enforcedFloor(namespace?.Isolation), floorOfTask(job, group, task)]);
}

/** The same on a node, whose own demand counts too. */
export function floorOn(node: Pick<Node, 'Attributes'>, demanded: IsolationFloor): IsolationFloor {
  const own = floorOfNode(node);
  return isFloor(own) ? highestFloor([demanded, own]) : demanded;
}

/** Each task would reach its floor, by what the node proved. Nothing is asked where nothing is demanded. */
export function isolationRequirement(
  job: Job,
  group: TaskGroup,
  namespace: Pick<Namespace, 'Isolation'> | undefined,
): Requirement {
  const demands = group.Tasks
    // of those the floor is asked where their driver is
    .filter(({ Driver }) => Driver !== autoDriver)
    .map((task) => ({ task, demanded: demandedFloor(job, group, task, namespace) }));
  return {
    unique: false,
    unmetBy: (node) => {
      for (const { task, demanded } of demands) {
        const floor = floorOn(node, demanded);
        if (!isFloor(floor)) continue;
        const predicted = predictIsolation(node.Attributes, group, task, floor);
        const [own, all] = [floorText(demanded), floorText(floor)];
        const wanted = `isolation: ${own === all ? `task "${task.Name}" demands` : `the node demands of task "${task.Name}"`} ${all}`;
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
