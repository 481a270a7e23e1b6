/** Which driver each task of "auto" gets on this node: chosen once, for all its starts. */
import { autoDriver, chooseDriver, type DriverChoice, withDriver } from '../model/driver-choice.ts';
import type { IsolationFloor } from '../model/isolation-floor.ts';
import type { Node } from '../model/node.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { driverChosen } from './task-events.ts';
import type { TaskRunner } from './task-runner.ts';

export interface ChoosingOptions {
  readonly node: Node;
  readonly group: TaskGroup;
  readonly runnerOf: (task: string) => TaskRunner | undefined;
  readonly floorOf: (task: Task) => IsolationFloor;
}

/** @returns null when each task without a choice was told one, else why one can have none */
export function chooseDrivers({ node, group, runnerOf, floorOf }: ChoosingOptions): string | null {
  for (const task of group.Tasks ?? []) {
    const runner = runnerOf(task.Name);
    if (task.Driver !== autoDriver || runner === undefined || runner.run.state.DriverChoice != null) continue;
    const choice = chooseDriver(node, group, task, floorOf(task));
    if (choice.Driver === '') return `no driver for task "${task.Name}": ${choice.Reason}`;
    runner.send({ type: 'chosen', choice, event: driverChosen(choice) });
  }
  return null;
}

/** The group with the drivers that its tasks got. */
export function groupAsChosen(
  group: TaskGroup,
  choiceOf: (task: string) => DriverChoice | null | undefined,
): TaskGroup {
  const tasks = group.Tasks ?? [];
  if (!tasks.some(({ Driver }) => Driver === autoDriver)) return group;
  const chosen = (task: Task) => {
    const choice = choiceOf(task.Name);
    return choice == null ? task : withDriver(task, choice.Driver, group);
  };
  return { ...group, Tasks: tasks.map(chosen) };
}
