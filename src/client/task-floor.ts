/** What a task of this node may not fall below: the node's own demand, its job's, and its namespace's as it was when it was placed. */
import type { EngineDriver, IsolationReport } from '../driver/contract.ts';
import type { Allocation } from '../model/allocation.ts';
import {
  enforcedFloor,
  floorOf,
  floorOfTask,
  type IsolationFloor,
  isFloor,
  linesWanted,
} from '../model/isolation-floor.ts';
import type { Job } from '../model/job.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import type { ClientConfig } from './config.ts';

/** Every demand on a task that is enforced: the node's, its namespace's, its job's. */
export function taskDemands(
  config: Pick<ClientConfig, 'isolation'>,
  alloc: Pick<Allocation, 'NamespaceIsolation'>,
  job: Job,
  group: TaskGroup,
  task: Task,
): readonly IsolationFloor[] {
  return [config.isolation, enforcedFloor(alloc.NamespaceIsolation), floorOfTask(job, group, task)];
}

/** A demand that is not enforced: said (`warn`) or only recorded (`audit`). */
export interface SoftFloor {
  readonly floor: IsolationFloor;
  readonly mode: string;
}

export function softFloor(alloc: Pick<Allocation, 'NamespaceIsolation'>): SoftFloor | null {
  const demand = alloc.NamespaceIsolation ?? null;
  if (demand === null || demand.Mode === 'enforce') return null;
  return { floor: floorOf(demand), mode: demand.Mode };
}

/** Lines that the floor wants and the report does not have. */
export function missingFor(floor: IsolationFloor, report: IsolationReport | null | undefined): readonly string[] {
  const verified = new Set(
    (report?.mechanisms ?? []).filter(({ state }) => state === 'verified').map(({ name }) => name),
  );
  return linesWanted(floor).filter((line) => !verified.has(line));
}

/** Why a driver may not even try: nothing it starts could be shown to keep the floor. */
export function unprovable(engine: EngineDriver, floor: IsolationFloor): string | null {
  if (!isFloor(floor) || engine.isolation !== undefined) return null;
  const demand = [...(floor.min === 'none' ? [] : [`"${floor.min}"`]), ...floor.require].join(' and ');
  return `isolation floor ${demand} cannot be shown to be kept: driver "${engine.info.name}" does not tell how it isolates`;
}
