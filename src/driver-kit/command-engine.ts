/**
 * Makes an engine driver of a command driver: supervision by a shim, isolation, cgroups, recovery, stop, stats, signals, exec.
 * Drivers of one kind share nothing but what they are lent.
 */
import { join } from 'node:path';
import type {
  CommandDriver,
  EngineDriver,
  ExecRequest,
  ExecSession,
  Fingerprint,
  IsolationReport,
  StartedTask,
  TaskConfig,
  TaskExit,
  TaskHandleState,
  TaskStats,
  TaskStatus,
} from '../driver/contract.ts';
import { cgroupName, describeTaskCgroup, rareControllers, removeTaskCgroup } from '../isolation/cgroup/task-cgroup.ts';
import { Fault } from '../lib/fault.ts';
import { begunTask } from './begun-task.ts';
import { readCommandState } from './command-state.ts';
import { CommandTask, removeStart } from './command-task.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { KnownTasks } from './known-tasks.ts';
import { refusalsOf } from './rehearsal.ts';
import { defaultKillSignal, requireSignal, signalNumber } from './signals.ts';
import { rehearseCommand, startCommand } from './start-command.ts';
import { triedWay } from './trial.ts';

/** An engine driver out of one that only says what to run. `close()` lets go of the tasks; they run on. */
export function commandEngine(driver: CommandDriver, deps: DriverDeps): EngineDriver {
  return new CommandEngine(driver, deps);
}

class CommandEngine implements EngineDriver {
  readonly #driver: CommandDriver;
  readonly #deps: DriverDeps;
  readonly #tasks = new KnownTasks<CommandTask>();

  constructor(driver: CommandDriver, deps: DriverDeps) {
    this.#driver = driver;
    this.#deps = deps;
  }

  /** A host that lost its sandbox gives tasks another view of files. */
  get info(): EngineDriver['info'] {
    return this.#driver.info;
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return this.#driver.fingerprint(signal);
  }

  rehearse(config: TaskConfig, signal: AbortSignal): Promise<readonly string[]> {
    return refusalsOf(signal, async () => {
      const spec = await this.#driver.plan(config, signal);
      await rehearseCommand(spec, this.#deps, config, this.#directory(config.id));
    });
  }

  async start(config: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
    signal.throwIfAborted();
    return this.#tasks.start(config.id, async () => {
      const spec = await this.#driver.plan(config, signal);
      await this.#driver.ready?.(config, spec, signal);
      const way = await triedWay(this.#deps, config, spec);
      const task = await startCommand(way, this.#deps, config, this.#directory(config.id), signal);
      this.#tasks.keep(config.id, task);
      return { state: task.state, isolation: task.state.isolation };
    });
  }

  async recover(config: TaskConfig, state: TaskHandleState, signal: AbortSignal): Promise<StartedTask> {
    signal.throwIfAborted();
    const known = this.#tasks.get(config.id);
    if (known !== undefined) return { state: known.state, isolation: known.state.isolation };
    return this.#tasks.alone(config.id, async () => {
      const stored = readCommandState(state);
      const found = await this.#deps.supervisor.recover(stored.directory);
      if (found.state === 'absent' || found.state === 'never-started') {
        await removeStart(stored);
        throw new Fault('not_found', `task ${config.id} is not there: its record is ${found.state}`);
      }
      const task =
        found.state === 'present'
          ? new CommandTask(config, stored, found.shim, null)
          : new CommandTask(config, stored, null, found.end);
      this.#tasks.keep(config.id, task);
      return { state: stored, isolation: stored.isolation };
    });
  }

  async recoverStart(config: TaskConfig, signal: AbortSignal): Promise<StartedTask | null> {
    signal.throwIfAborted();
    return this.#tasks.alone(config.id, async () => {
      const task = await begunTask(this.#deps, config, this.#directory(config.id));
      if (task === null) return null;
      this.#tasks.keep(config.id, task);
      return { state: task.state, isolation: task.state.isolation };
    });
  }

  wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    return this.#tasks.with(taskId, async (task) => {
      const exit = await task.wait(signal);
      const message = (await this.#driver.reason?.(task.config, exit)) ?? null;
      return message === null ? exit : { ...exit, message };
    });
  }

  async stop(
    taskId: string,
    options: { readonly timeoutMs: number; readonly killSignal: string },
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = options.killSignal === '' ? defaultKillSignal : options.killSignal;
    const number = signalNumber(wanted);
    if (number === null)
      this.#deps.log.warn('unknown kill signal, sending the default', { task: taskId, signal: wanted });
    await this.#tasks.with(taskId, (task) =>
      task.stop(number ?? requireSignal(defaultKillSignal), options.timeoutMs, signal),
    );
  }

  async destroy(taskId: string, options: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return this.#destroyUnknown(taskId, options.force, signal);
    if (!task.ended) {
      if (!options.force) throw new Fault('conflict', `task ${taskId} is still running`);
      await task.stop(requireSignal('SIGKILL'), 0, signal);
    }
    await task.forget();
    this.#tasks.forget(taskId);
  }

  /** A start whose state never reached the client (it was killed in between) is known by its record directory alone. */
  async #destroyUnknown(taskId: string, force: boolean, signal: AbortSignal): Promise<void> {
    const directory = this.#directory(taskId);
    const { isolation, supervisor } = this.#deps;
    const cgroup = describeTaskCgroup(isolation.cgroups, cgroupName(taskId), rareControllers);
    const found = await supervisor.recover(directory);
    if (found.state === 'present') {
      if (!force) throw new Fault('conflict', `task ${taskId} is still running`);
      await found.shim.stop({ signal: requireSignal('SIGKILL'), timeoutMs: 0 });
      await found.shim.wait(signal);
      await found.shim.shutdown();
    }
    if (found.state === 'absent') {
      await removeTaskCgroup(cgroup);
      throw new Fault('not_found', `no task ${taskId}`);
    }
    await removeStart({ cgroup, directory });
  }

  inspect(taskId: string): Promise<TaskStatus> {
    return this.#tasks.with(taskId, (task) => task.inspect());
  }

  stats(taskId: string): Promise<TaskStats> {
    return this.#tasks.with(taskId, (task) => task.stats());
  }

  async signal(taskId: string, signalName: string): Promise<void> {
    const number = requireSignal(signalName);
    await this.#tasks.with(taskId, (task) => task.signal(number));
  }

  exec(taskId: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    return this.#tasks.with(taskId, (task) => task.exec(request, signal));
  }

  isolation(taskId: string): Promise<IsolationReport> {
    return this.#tasks.with(taskId, async (task) => task.isolationNow(this.#deps.isolation));
  }

  /** Shims and tasks stay. */
  async close(): Promise<void> {
    for (const task of this.#tasks.values()) task.close();
    this.#tasks.clear();
  }

  #directory(taskId: string): string {
    return join(this.#deps.stateDirectory, cgroupName(taskId));
  }
}
