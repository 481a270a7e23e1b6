/**
 * Why this node would refuse the starts of a job's tasks, found out with nothing started: the allocation that would be placed is taken as far
 * as its drivers' own plans. What is asked here costs what planning costs, a few at a time; more than can wait are turned away.
 */
import type { EngineDriver, TaskConfig } from '../driver/contract.ts';
import { abortable } from '../lib/abortable.ts';
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { Turns } from '../lib/turns.ts';
import type { Allocation } from '../model/allocation.ts';
import { autoDriver, chooseDriver, withDriver } from '../model/driver-choice.ts';
import { highestFloor } from '../model/isolation-floor.ts';
import type { Job } from '../model/job.ts';
import type { RehearsalAnswer, RehearsalAsk, TaskRehearsal } from '../model/rehearsal.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { type AllocationNetwork, type NetworkWay, networkWay } from './allocation-networks.ts';
import { StartRefusal } from './task-config.ts';
import { type TaskHost, taskConfigOn } from './task-config-on.ts';
import { hookFailed } from './task-events.ts';
import { taskDemands, unprovable } from './task-floor.ts';

export interface RehearsalHost extends TaskHost {
  /** The node makes networks. */
  readonly makesNetworks: boolean;
  readonly log: Log;
}

const atOnce = 2;
const mostWaiting = 16;
const limitMs = 10_000;
const generation = '00000000';

export class Rehearsals {
  readonly #host: RehearsalHost;
  readonly #turns = new Turns(atOnce);
  #asked = 0;

  constructor(host: RehearsalHost) {
    this.#host = host;
  }

  /** `Fault('unavailable')`: too many ask, or it took too long. */
  async of({ Job: job, Allocations }: RehearsalAsk, caller: AbortSignal): Promise<RehearsalAnswer> {
    if (this.#asked >= atOnce + mostWaiting) throw new Fault('unavailable', 'the node is asked by too many at once');
    const signal = AbortSignal.any([caller, AbortSignal.timeout(limitMs)]);
    this.#asked++;
    const work = this.#turns.run(async () => {
      signal.throwIfAborted();
      return abortable(this.#groups(job, Allocations, signal), signal);
    });
    // who gives up leaves its place in the line only when its turn has come
    const over = (): void => void this.#asked--;
    void work.then(over, over);
    return abortable(work, signal);
  }

  async #groups(job: Job, allocations: readonly Allocation[], signal: AbortSignal): Promise<RehearsalAnswer> {
    const Groups = [];
    for (const alloc of allocations) {
      signal.throwIfAborted();
      Groups.push({ Name: alloc.TaskGroup, Tasks: await this.#group(job, alloc, signal) });
    }
    return { Groups };
  }

  async #group(job: Job, alloc: Allocation, signal: AbortSignal): Promise<readonly TaskRehearsal[]> {
    const found = job.TaskGroups.find(({ Name }) => Name === alloc.TaskGroup);
    if (found === undefined) throw new Fault('invalid', `job "${job.ID}" has no group "${alloc.TaskGroup}"`);
    const { config, makesNetworks: makes, drivers } = this.#host;
    const group = this.#chosen(job, alloc, found);
    const engine = (driver: string) => drivers.get(driver)?.engine;
    const way = (): NetworkWay | null =>
      networkWay(alloc, group, { makes, wildcard: config.bindWildcard, engine }, false);
    const refused = refusalOf(way, (message) => hookFailed('network', message).DisplayMessage);
    if (refused !== null) return group.Tasks.map(({ Name }) => ({ Name, Refusals: [refused], NotAsked: '' }));
    const network = pretended(alloc, way());
    const tasks: TaskRehearsal[] = [];
    for (const task of group.Tasks)
      tasks.push({ Name: task.Name, ...(await this.#task({ job, alloc, group, task, network }, signal)) });
    return tasks;
  }

  /** Each task of "auto" with the driver it would get; one that can have none keeps that word. */
  #chosen(job: Job, alloc: Allocation, group: TaskGroup): TaskGroup {
    const { config, node } = this.#host;
    const chosen = (task: Task): Task => {
      if (task.Driver !== autoDriver) return task;
      const floor = highestFloor(taskDemands(config, alloc, job, group, task));
      const { Driver } = chooseDriver(node(), group, task, floor);
      return Driver === '' ? task : withDriver(task, Driver, group);
    };
    return { ...group, Tasks: group.Tasks.map(chosen) };
  }

  async #task(of: Start, signal: AbortSignal): Promise<Omit<TaskRehearsal, 'Name'>> {
    const { job, alloc, group, task } = of;
    const engine = this.#host.drivers.get(task.Driver)?.engine;
    const floor = highestFloor(taskDemands(this.#host.config, alloc, job, group, task));
    let config: TaskConfig | null = null;
    const refused = refusalOf(() => {
      config = taskConfigOn(this.#host, { ...of, generation, floor });
      return engine === undefined ? null : unprovable(engine, floor);
    });
    if (refused !== null || config === null || engine === undefined)
      return { Refusals: refused === null ? [] : [refused], NotAsked: '' };
    return this.#asDriver(
      engine,
      { ...(config as TaskConfig), rehearsal: { filesCome: filesCome(group, task) } },
      signal,
    );
  }

  async #asDriver(engine: EngineDriver, task: TaskConfig, signal: AbortSignal): Promise<Omit<TaskRehearsal, 'Name'>> {
    const not = (NotAsked: string) => ({ Refusals: [], NotAsked });
    if (engine.rehearse === undefined) return not(`driver "${engine.info.name}" does not tell before a start`);
    try {
      return { Refusals: await engine.rehearse(task, signal), NotAsked: '' };
    } catch (error) {
      signal.throwIfAborted();
      const { name } = engine.info;
      if (isFault(error, 'unsupported')) return not(`driver "${name}": ${error.message}`);
      this.#host.log.warn('a start could not be rehearsed', { driver: name, reason: messageOf(error) });
      return not(`driver "${name}" could not tell: ${messageOf(error)}`);
    }
  }
}

interface Start {
  readonly job: Job;
  readonly alloc: Allocation;
  readonly group: TaskGroup;
  readonly task: Task;
  readonly network: AllocationNetwork | null;
}

/** What is thrown as a fault, or said. */
function refusalOf(work: () => unknown, worded = (message: string): string => message): string | null {
  try {
    const said = work();
    return typeof said === 'string' ? said : null;
  } catch (error) {
    if (error instanceof StartRefusal) return error.message;
    if (error instanceof Fault) return worded(error.message);
    throw error;
  }
}

/** As if it were made. */
function pretended({ ID }: Allocation, way: NetworkWay | null): AllocationNetwork | null {
  if (way === null) return null;
  const bridged = way.by === 'node' && way.wish.kind === 'bridge';
  const path = `/nonexistent/${ID}`;
  return { path, interfaceName: bridged ? 'eth0' : '', address: bridged ? '192.0.2.1' : '', egress: '' };
}

/** Before the first of the task's own instructions. */
function filesCome(
  { Tasks, EphemeralDisk }: TaskGroup,
  { Name, Artifacts, Templates, DispatchPayload }: Task,
): boolean {
  const before = Tasks.some((each) => each.Name !== Name && each.Lifecycle?.Hook === 'prestart');
  const brought = (Artifacts ?? []).length + (Templates ?? []).length > 0 || DispatchPayload != null;
  return before || brought || EphemeralDisk.Sticky;
}
