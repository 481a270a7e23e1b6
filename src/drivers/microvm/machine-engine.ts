/** The kit's engine of a machine's monitor, with what belongs to the machine in place of what belongs to the monitor: ends, signals, commands. */
import { join } from 'node:path';
import type {
  EngineDriver,
  ExecRequest,
  ExecSession,
  StartedTask,
  TaskConfig,
  TaskExit,
  TaskHandleState,
  TaskStatus,
} from '../../driver/contract.ts';
import { defaultKillSignal } from '../../driver-kit/signals.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { Control } from './control.ts';
import { Disks, removeDisks } from './disks.ts';
import { guestSignal } from './start-disk.ts';

export class MachineEngine implements EngineDriver {
  readonly info: EngineDriver['info'];
  readonly fingerprint: EngineDriver['fingerprint'];
  readonly stats: NonNullable<EngineDriver['stats']>;
  readonly isolation: NonNullable<EngineDriver['isolation']>;
  readonly #engine: EngineDriver;
  readonly #root: string;
  readonly #tasks: Map<string, TaskConfig>;
  readonly #controls = new Map<string, Control>();

  /** `tasks`: shared with the one who plans their starts. `root`: where disks are. */
  constructor(engine: EngineDriver, tasks: Map<string, TaskConfig>, root: string) {
    this.#engine = engine;
    this.#root = root;
    this.#tasks = tasks;
    this.info = engine.info;
    this.fingerprint = (signal) => engine.fingerprint(signal);
    this.stats = (taskId, signal) => engine.stats!(taskId, signal);
    this.isolation = (taskId, signal) => engine.isolation!(taskId, signal);
  }

  async start(task: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
    if (this.#tasks.has(task.id)) throw new Fault('exists', `task ${task.id} is already known`);
    this.#tasks.set(task.id, task);
    try {
      return await this.#engine.start({ ...task, user: '' }, signal);
    } catch (error) {
      this.#tasks.delete(task.id);
      await new Disks(this.#root, task).remove();
      throw error;
    }
  }

  async rehearse(task: TaskConfig, signal: AbortSignal): Promise<readonly string[]> {
    this.#tasks.set(task.id, task);
    try {
      return await this.#engine.rehearse!({ ...task, user: '' }, signal);
    } finally {
      this.#tasks.delete(task.id);
    }
  }

  async recover(task: TaskConfig, state: TaskHandleState, signal: AbortSignal): Promise<StartedTask> {
    const found = await this.#engine.recover(task, state, signal);
    this.#tasks.set(task.id, task);
    return found;
  }

  async recoverStart(task: TaskConfig, signal: AbortSignal): Promise<StartedTask | null> {
    const found = await this.#engine.recoverStart!(task, signal);
    if (found !== null) this.#tasks.set(task.id, task);
    return found;
  }

  async wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    return this.#ended(taskId, await this.#engine.wait(taskId, signal));
  }

  async inspect(taskId: string, signal: AbortSignal): Promise<TaskStatus> {
    const status = await this.#engine.inspect(taskId, signal);
    if (status.exit === null) return status;
    const exit = await this.#ended(taskId, status.exit);
    return { ...status, state: exit.unknown === undefined ? 'exited' : 'unknown', exit };
  }

  /** The end of the command, of which the monitor's own end says nothing. */
  async #ended(taskId: string, monitor: TaskExit): Promise<TaskExit> {
    const task = this.#tasks.get(taskId);
    const end = task === undefined ? null : await new Disks(this.#root, task).end();
    if (end !== null) {
      const { unknown: _, ...rest } = monitor;
      return { ...rest, ...end };
    }
    if (monitor.exitCode !== 0 || monitor.unknown !== undefined) return monitor;
    return { ...monitor, unknown: 'machine-lost', message: 'the machine ended without telling how its command did' };
  }

  async stop(
    taskId: string,
    options: { readonly timeoutMs: number; readonly killSignal: string },
    signal: AbortSignal,
  ): Promise<void> {
    const until = Date.now() + options.timeoutMs;
    if (options.timeoutMs > 0 && (await this.#running(taskId, signal))) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]);
      const number = guestSignal(options.killSignal) ?? guestSignal(defaultKillSignal)!;
      const asked = this.#control(taskId).signal(number, limit);
      const over = this.#engine.wait(taskId, limit);
      // a machine that boots takes no signal yet
      await Promise.all([asked.catch(() => undefined), over.catch(() => undefined)]);
      signal.throwIfAborted();
    }
    await this.#engine.stop(taskId, { killSignal: 'SIGKILL', timeoutMs: Math.max(0, until - Date.now()) }, signal);
  }

  async signal(taskId: string, name: string, signal: AbortSignal): Promise<void> {
    const number = guestSignal(name);
    if (number === null) throw new Fault('invalid', `${JSON.stringify(name)} is no signal`);
    if (!(await this.#running(taskId, signal))) throw new Fault('conflict', `task ${taskId} is not running`);
    await this.#control(taskId).signal(number, AbortSignal.any([signal, AbortSignal.timeout(60_000)]));
  }

  async exec(taskId: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    if (!(await this.#running(taskId, signal))) throw new Fault('conflict', `task ${taskId} is not running`);
    return this.#control(taskId).exec(request, signal);
  }

  async destroy(taskId: string, options: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    await this.#engine.destroy(taskId, options, signal).catch(async (error: unknown) => {
      if (isFault(error, 'not_found')) await removeDisks(this.#root, taskId);
      throw error;
    });
    const task = this.#tasks.get(taskId);
    this.#tasks.delete(taskId);
    this.#controls.get(taskId)?.close();
    this.#controls.delete(taskId);
    if (task === undefined) await removeDisks(this.#root, taskId);
    else await new Disks(this.#root, task).remove();
  }

  async close(): Promise<void> {
    for (const control of this.#controls.values()) control.close();
    this.#controls.clear();
    await this.#engine.close();
  }

  async #running(taskId: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#engine.inspect(taskId, signal)).state === 'running';
  }

  #control(taskId: string): Control {
    const known = this.#controls.get(taskId);
    if (known !== undefined) return known;
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Fault('not_found', `no task ${taskId}`);
    const control = new Control(join(task.directories.task, 'microvm.sock'));
    this.#controls.set(taskId, control);
    return control;
  }
}
