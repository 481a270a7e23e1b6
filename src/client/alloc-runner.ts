/**
 * One allocation: its directories, its tasks in the order of their lifecycle, its health, its end.
 *
 *   waiting for the one it replaces ─▶ directories ─▶ tasks ─▶ ended ─▶ collected
 *                 └────────── stop ───────────┴─────────┘
 */
import type { EngineDriver, TaskConfig } from '../driver/contract.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { Allocation, AllocDeploymentStatus } from '../model/allocation.ts';
import { highestFloor, type IsolationFloor } from '../model/isolation-floor.ts';
import type { Job } from '../model/job.ts';
import type { Node } from '../model/node.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import type { TaskEvent } from '../model/task-state.ts';
import { buildAllocationDirectory, moveDisk } from './alloc-dir.ts';
import {
  deploymentStatus,
  type HealthRules,
  healthOf,
  healthRules,
  type WatchedTask,
  watchedTask,
} from './alloc-health.ts';
import { type AllocationDisks, bindDisk } from './allocation-disks.ts';
import { type AllocationNetworks, networkStatus } from './allocation-networks.ts';
import { chooseDrivers, groupAsChosen } from './choose-drivers.ts';
import type { ClientDrivers } from './client-driver.ts';
import type { ClientConfig } from './config.ts';
import { GroupNetwork } from './group-network.ts';
import { allowed, clientStatus, downfall, killWaves } from './lifecycle.ts';
import { prepareTaskDirectory } from './prepare-task.ts';
import type { AllocationUpdate } from './server-connection.ts';
import { signalTasks } from './signal-tasks.ts';
import { taskConfigOn } from './task-config-on.ts';
import { resumed, type TaskRun } from './task-decide.ts';
import { allocUnhealthy, hookFailed, userRestart, userRestartAll, userRestartRunning } from './task-events.ts';
import { softFloor, taskDemands } from './task-floor.ts';
import { taskRules } from './task-rules.ts';
import { TaskRunner } from './task-runner.ts';

export interface AllocationRunnerOptions {
  readonly config: ClientConfig;
  readonly drivers: ClientDrivers;
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  readonly deniedEnv: ReadonlySet<string>;
  /** Null: this node makes no networks for allocations. */
  readonly networks: AllocationNetworks | null;
  /** Null: this node binds the disk of none. */
  readonly disks: AllocationDisks | null;
  /** See `IsolationHost`. */
  readonly passIds: (from: string, to: string) => void;
  node(): Node;
  /** Resolves when the allocation this one replaces has ended here. Asked once every stored allocation was taken up. */
  previousEnded(): Promise<void>;
  readonly serversReached: Promise<void>;
  saveTask(task: string, run: TaskRun): Promise<void>;
  saveHealth(status: AllocDeploymentStatus): Promise<void>;
  /** There is something new to report. */
  changed(runner: AllocationRunner): void;
  now(): number;
  random(): number;
  newGeneration(): string;
  readonly log: Log;
}

/** What the store knows; nothing of a new allocation. */
export interface StoredRuns {
  /** Nothing was left of it: it is not begun again, and nobody waits for it. */
  readonly ended: boolean;
  readonly runs: ReadonlyMap<string, TaskRun>;
  readonly deploymentStatus: AllocDeploymentStatus | null;
}

export class AllocationRunner {
  readonly id: string;
  readonly #options: AllocationRunnerOptions;
  readonly #tasks = new Map<string, TaskRunner>();
  readonly #life = new AbortController();
  readonly #network: GroupNetwork;
  #alloc: Allocation;
  #job: Job;
  #group: TaskGroup;
  /** Directories are there: tasks may begin. */
  #ready = false;
  /** Resolves when the network was looked for: a task that restarts meanwhile must not be put into one that is about to be made anew. */
  #opened: Promise<void> = Promise.resolve();
  /** Only poststop tasks begin any more. */
  #ending = false;
  #killing = false;
  #description = '';
  /** It ends for a reason of its own: failed, whatever its tasks' exits say. */
  #broken = false;
  #left: Promise<void> | null = null;
  #health: AllocDeploymentStatus | null;
  #watchedSinceMs: number;
  #healthTimer: NodeJS.Timeout | null = null;
  #announceEnd: () => void = () => undefined;
  /** Resolves when every task is dead. */
  readonly ended: Promise<void>;

  constructor(alloc: Allocation, job: Job, options: AllocationRunnerOptions, stored: StoredRuns) {
    const group = job.TaskGroups?.find((candidate) => candidate.Name === alloc.TaskGroup);
    if (group === undefined) throw new Fault('invalid', `job "${job.ID}" has no group "${alloc.TaskGroup}"`);
    this.id = alloc.ID;
    this.#alloc = alloc;
    this.#job = job;
    this.#group = group;
    this.#options = options;
    this.#health = stored.deploymentStatus ?? alloc.DeploymentStatus;
    this.#watchedSinceMs = options.now();
    this.#network = new GroupNetwork(alloc.ID, {
      networks: options.networks,
      wildcard: options.config.bindWildcard,
      engine: (driver) => options.drivers.get(driver)?.engine,
      log: options.log,
    });
    this.ended = new Promise((resolve) => {
      this.#announceEnd = resolve;
    });
    if (stored.ended) {
      this.#left = Promise.resolve();
      this.#announceEnd();
    }
    for (const task of group.Tasks ?? []) {
      const run = stored.runs.get(task.Name);
      this.#tasks.set(task.Name, this.#taskRunner(task.Name, run === undefined ? null : resumed(run)));
    }
  }

  get alloc(): Allocation {
    return this.#alloc;
  }

  get job(): Job {
    return this.#job;
  }

  get allDead(): boolean {
    return [...this.#tasks.values()].every((task) => task.run.phase === 'dead');
  }

  get #begunGroup(): TaskGroup | null {
    return this.tasks.some((task) => task.run.generation !== '') ? this.#group : null;
  }

  get runningTasks(): number {
    return [...this.#tasks.values()].filter((task) => task.run.phase === 'running').length;
  }

  /** Begins, or goes on after a restart of the agent. Resolves when tasks may run; the rest happens by itself. */
  async start(): Promise<void> {
    this.#opened = this.#open();
    await this.#opened;
    this.#settle();
  }

  async #open(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map((task) => task.recover()));
    if (!this.#life.signal.aborted && !this.allDead && !this.stopWanted) await this.#prepare();
  }

  async #prepare(): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.#life.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#options.previousEnded(), stopped]);
    if (this.#life.signal.aborted || this.allDead) return;
    if (!this.#chooseDrivers() || !(await this.#openNetwork())) return;
    try {
      buildAllocationDirectory(this.#options.config.allocDir, this.id);
      await this.#openDisk();
      this.#ready = true;
    } catch (error) {
      this.#description = messageOf(error);
      this.#options.log.error('an allocation could not be prepared', { alloc: this.id, error: this.#description });
      this.#failAll(hookFailed('alloc_dir', this.#description));
    }
  }

  /** False: a task can have none, and all were told. */
  #chooseDrivers(): boolean {
    const refused = chooseDrivers({
      node: this.#options.node(),
      group: this.#group,
      runnerOf: (name) => this.#tasks.get(name),
      floorOf: (task) => highestFloor(this.#demands(task)),
    });
    if (refused === null) return true;
    this.#description = refused;
    this.#failAll(hookFailed('driver', refused));
    return false;
  }

  #chosenGroup(): TaskGroup {
    return groupAsChosen(this.#group, (name) => this.#tasks.get(name)?.run.state.DriverChoice);
  }

  /** Once, for tasks may change what they have begun in. A sticky disk comes along from the allocation this one replaces, where that was here. */
  async #openDisk(): Promise<void> {
    if (this.#begunGroup !== null) return;
    const { config, disks, passIds, log } = this.#options;
    const { SizeMB = 0, Sticky = false } = this.#group.EphemeralDisk ?? {};
    await bindDisk(disks, config.allocDir, this.id, SizeMB, log);
    const previous = Sticky ? this.#alloc.PreviousAllocation : '';
    const move = { from: previous, to: this.id, tasks: [...this.#tasks.keys()] };
    if (previous !== '') await moveDisk(config.allocDir, move, { disks, passIds });
  }

  /** False: there is none, and the tasks were told; or the agent goes. */
  async #openNetwork(): Promise<boolean> {
    try {
      await this.#network.open(this.#alloc, this.#chosenGroup(), this.runningTasks > 0, this.#life.signal);
      if (!this.allDead) return true;
      await this.#network.leave(null);
    } catch (error) {
      if (this.#life.signal.aborted) return false;
      this.#description = messageOf(error);
      this.#broken = true;
      this.#options.log.error('the network of an allocation is not there', {
        alloc: this.id,
        error: this.#description,
      });
      const event = hookFailed('network', this.#description);
      this.#failAll(event);
      await this.#killAll(event);
    }
    return false;
  }

  /** No task can begin: each says why and is dead. */
  #failAll(event: TaskEvent): void {
    this.#ending = true;
    for (const task of this.#tasks.values()) task.send({ type: 'refuse', event });
  }

  /** A newer version of the row from the servers. */
  update(alloc: Allocation, job: Job): void {
    const group = job.TaskGroups?.find((candidate) => candidate.Name === alloc.TaskGroup);
    // updated in place: the new roll-out wants to hear of its health too
    if (alloc.DeploymentID !== this.#alloc.DeploymentID) {
      this.#health = alloc.DeploymentStatus;
      this.#watchedSinceMs = this.#options.now();
    }
    this.#alloc = alloc;
    if (group !== undefined) {
      this.#job = job;
      this.#group = group;
    }
    for (const task of this.#tasks.values()) task.sayBelow();
    this.#settle();
  }

  get stopWanted(): boolean {
    return this.#alloc.DesiredStatus !== 'run';
  }

  /** The servers do not know this allocation any more: it ends. */
  stop(): void {
    this.#alloc = { ...this.#alloc, DesiredStatus: 'stop' };
    this.#settle();
  }

  /** How long the allocation may run while the servers cannot be reached; null: for ever. Milliseconds. */
  get stopsUnreachedAfterMs(): number | null {
    const after = this.#group.Disconnect?.StopOnClientAfter ?? this.#group.StopAfterClientDisconnect;
    return after === null || this.allDead ? null : after / 1e6;
  }

  /** The agent goes, the tasks stay. */
  detach(): void {
    this.#life.abort();
    if (this.#healthTimer !== null) clearTimeout(this.#healthTimer);
    for (const task of this.#tasks.values()) task.detach();
  }

  #settle(): void {
    if (this.#life.signal.aborted) return;
    const members = this.#members();
    const down = downfall(members);
    if (this.stopWanted || down !== null) this.#ending = true;
    if (this.stopWanted) void this.#killAll(null);
    else if (down !== null) void this.#killAll(down.event);
    const stopping = this.#ending;
    if (this.#ready || stopping) for (const name of allowed(members, stopping)) this.#begin(name, stopping);
    this.#watchHealth(members);
    // who waits for the end may want its ports
    if (this.allDead) this.#left ??= this.#network.leave(this.#begunGroup).then(() => this.#announceEnd());
    this.#options.changed(this);
  }

  #begin(name: string, stopping: boolean): void {
    const task = this.#tasks.get(name);
    if (task === undefined || task.run.phase !== 'waiting') return;
    // stopped before anything was there: nothing to clean up after
    if (stopping && !this.#ready && task.run.generation === '')
      task.send({ type: 'kill', reasons: [], noShutdownDelay: true });
    else task.allow();
  }

  async #killAll(event: TaskEvent | null): Promise<void> {
    if (this.#killing) return;
    this.#killing = true;
    const noShutdownDelay = this.#alloc.DesiredTransition.NoShutdownDelay === true;
    const reasons = event === null ? [] : [event];
    // a cause is told to all of them at once; who is asked to stop when is another matter
    for (let waves = killWaves(this.#members()); waves.length > 0; waves = killWaves(this.#members())) {
      const wave = waves[0]!.map((name) => this.#tasks.get(name)!);
      for (const task of wave) task.send({ type: 'kill', reasons, noShutdownDelay });
      await Promise.all(wave.map((task) => task.dead));
      if (this.#life.signal.aborted) return;
    }
    this.#killing = false;
  }

  #members(): readonly WatchedTask[] {
    return (this.#group.Tasks ?? []).flatMap((task) => {
      const runner = this.#tasks.get(task.Name);
      return runner === undefined ? [] : [watchedTask(task, runner.run)];
    });
  }

  #watchHealth(members: readonly WatchedTask[]): void {
    const rules = healthRules(this.#job, this.#group, this.#alloc.DeploymentID);
    if (rules === null || (this.#health?.Healthy ?? null) !== null || this.stopWanted) return;
    if (this.#healthTimer !== null) clearTimeout(this.#healthTimer);
    this.#decideHealth(members, rules);
  }

  #decideHealth(members: readonly WatchedTask[], rules: HealthRules): void {
    const now = this.#options.now();
    const health = healthOf(members, rules, this.#watchedSinceMs, now);
    if (health.state === 'undecided') {
      this.#healthTimer = setTimeout(() => this.#settle(), Math.min(health.lookAgainMs, 2 ** 31 - 1));
      this.#healthTimer.unref();
      return;
    }
    this.#health = deploymentStatus(health, this.#alloc.DeploymentStatus, now);
    if (health.state === 'unhealthy' && this.#alloc.DeploymentID !== '') {
      for (const [task, message] of health.events)
        this.#tasks.get(task)?.send({ type: 'note', event: allocUnhealthy(message) });
    }
    this.#options.saveHealth(this.#health).catch((error: unknown) => {
      this.#options.log.error('the health of an allocation could not be stored', {
        alloc: this.id,
        error: messageOf(error),
      });
    });
  }

  /** What the servers are told. */
  report(): AllocationUpdate {
    const seen = clientStatus(this.#members());
    const status = this.#broken && seen.status === 'complete' ? { status: 'failed', description: '' } : seen;
    const started = [...this.#tasks.values()].map((task) => [task.name, task.run.state] as const);
    return {
      ID: this.id,
      NodeID: this.#alloc.NodeID,
      ClientStatus: status.status,
      ClientDescription:
        status.status === 'failed' && this.#description !== '' ? this.#description : status.description,
      TaskStates: Object.fromEntries(started),
      DeploymentStatus: this.#health,
      NetworkStatus:
        this.#ready || this.allDead || this.#network.made !== null
          ? networkStatus(this.#group.Networks?.[0], this.#network.made)
          : null,
    };
  }

  /** Nomad's texts, which its command line shows. */
  task(name: string, otherwise: string, status = 500): TaskRunner {
    const task = this.#tasks.get(name);
    if (task === undefined) throw new Fault('invalid', otherwise, { status });
    return task;
  }

  get tasks(): readonly TaskRunner[] {
    return [...this.#tasks.values()];
  }

  /** The driver of a task and the task's id with it; `not running` where it does not run. */
  running(
    name: string,
    notFound: string,
    notRunning: string,
  ): { readonly engine: EngineDriver; readonly taskId: string } {
    const task = this.task(name, notFound);
    const engine = this.#driverOf(name);
    if (task.run.phase !== 'running' || engine === null) throw new Fault('conflict', notRunning, { status: 500 });
    return { engine, taskId: task.taskId };
  }

  restart(options: { readonly task: string; readonly allTasks: boolean }): void {
    if (options.task !== '' && options.allTasks) {
      throw new Fault('invalid', 'task name cannot be set when restarting all tasks', { status: 500 });
    }
    if (this.#ending || this.allDead)
      throw new Fault('conflict', 'restart of an alloc that should not run', { status: 500 });
    if (options.task !== '') {
      const task = this.task(options.task, `Could not find task runner for task: ${options.task}`);
      if (task.run.phase !== 'running') throw new Fault('conflict', 'Task not running', { status: 500 });
      task.send({ type: 'restart', event: userRestart, gated: false });
      return;
    }
    for (const task of this.#tasks.values()) {
      if (options.allTasks) task.send({ type: 'restart', event: userRestartAll, gated: true });
      else if (task.run.phase === 'running') task.send({ type: 'restart', event: userRestartRunning, gated: false });
    }
  }

  signal(options: { readonly task: string; readonly signal: string }, signal: AbortSignal): Promise<void> {
    return signalTasks(this, options, this.#options.log, signal);
  }

  #taskOf(name: string): Task {
    return this.#chosenGroup().Tasks!.find((task) => task.Name === name)!;
  }

  driverOf(task: string): string {
    return this.#taskOf(task).Driver;
  }

  #driverOf(name: string): EngineDriver | null {
    return this.#options.drivers.get(this.#taskOf(name).Driver)?.engine ?? null;
  }

  #taskRunner(name: string, stored: TaskRun | null): TaskRunner {
    const options = this.#options;
    return new TaskRunner(
      {
        allocId: this.id,
        name,
        killSignal: this.#taskOf(name).KillSignal,
        rules: () => taskRules(this.#job, this.#group, this.#taskOf(name), options.config.maxKillTimeoutMs),
        engine: () => this.#driverOf(name),
        prepare: (known) => this.#prepareTask(this.#taskOf(name), known),
        buildConfig: (generation) => this.#config(this.#taskOf(name), generation),
        demands: () => this.#demands(this.#taskOf(name)),
        softFloor: () => softFloor(this.#alloc),
        save: (run) => options.saveTask(name, run),
        changed: () => this.#settle(),
        serversReached: options.serversReached,
        holdWhenLost: this.#job.Type !== 'system' && this.#job.Type !== 'sysbatch',
        now: options.now,
        random: options.random,
        newGeneration: options.newGeneration,
        log: options.log,
      },
      stored,
    );
  }

  async #prepareTask(task: Task, known: () => void): Promise<void> {
    const { config, log } = this.#options;
    const driver = this.#options.drivers.get(task.Driver);
    if (driver === undefined) return;
    await this.#opened.then(known);
    await prepareTaskDirectory(config.allocDir, this.id, this.#job, task, driver.engine.info.filesystem, log);
  }

  #demands(task: Task): readonly IsolationFloor[] {
    return taskDemands(this.#options.config, this.#alloc, this.#job, this.#group, task);
  }

  #config(task: Task, generation: string): TaskConfig {
    return taskConfigOn(this.#options, {
      alloc: this.#alloc,
      job: this.#job,
      group: this.#chosenGroup(),
      task,
      network: this.#network.made,
      generation,
      floor: highestFloor(this.#demands(task)),
    });
  }
}
