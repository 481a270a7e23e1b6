/**
 * The engine driver of a `defineEngineDriver`: keeps the tasks, their states and ends, and asks the author's hooks.
 *
 *   start ─▶ running ──(wait resolves)──▶ ended ──(destroy)──▶ forgotten
 *   recover ──▲   (find says no: not found)
 *
 * One `wait` hook runs for each task from its start on; all who wait share it. One that fails is asked again after a back-off: how a task
 * ended is never invented.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigOf, ConfigSchema } from '../driver/config-schema.ts';
import type {
  DriverEvent,
  DriverInfo,
  EngineDriver,
  ExecRequest,
  ExecSession,
  Fingerprint,
  StartedTask,
  TaskConfig,
  TaskExit,
  TaskHandleState,
  TaskStats,
  TaskStatus,
} from '../driver/contract.ts';
import { abortable } from '../lib/abortable.ts';
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { callHook, checkedNothing, wrongReturn } from './call-hook.ts';
import { checkedFingerprint, failedFingerprint } from './checked-fingerprint.ts';
import type { AnyEngineDefinition, EngineHook, EngineTask } from './define-engine-driver.ts';
import { eventOf, exitOf, networkOf, sessionOf, statsOfEngine } from './engine-answers.ts';
import { fingerprints } from './fingerprints.ts';
import { KnownTasks } from './known-tasks.ts';
import { refusalsOf } from './rehearsal.ts';
import { defaultKillSignal, requireSignal, signalNumber } from './signals.ts';
import { readState, storedState } from './task-state.ts';

// biome-ignore lint/suspicious/noExplicitAny: an author's engine
type Task = EngineTask<any, ConfigSchema, ConfigSchema>;

interface Known {
  readonly running: Task;
  readonly started: StartedTask;
  readonly startedAt: bigint;
  readonly end: Promise<TaskExit>;
  exit: TaskExit | null;
  completedAt: bigint | null;
}

const limits: { readonly [hook in EngineHook]: number } = {
  open: 30_000,
  fingerprint: 30_000,
  check: 10_000,
  // an image may have to come first
  start: 600_000,
  find: 30_000,
  // beyond the task's own kill timeout
  stop: 30_000,
  remove: 60_000,
  removeUnknown: 60_000,
  stats: 10_000,
  signal: 10_000,
  exec: 30_000,
  close: 5_000,
};
const longestWaitBackoffMs = 30_000;

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

export class EngineKit implements EngineDriver {
  readonly info: DriverInfo;
  // a capability is a method: those that the author left out are not there
  readonly stats?: NonNullable<EngineDriver['stats']>;
  readonly signal?: NonNullable<EngineDriver['signal']>;
  readonly exec?: NonNullable<EngineDriver['exec']>;
  readonly events?: NonNullable<EngineDriver['events']>;
  readonly #definition: AnyEngineDefinition;
  readonly #options: ConfigOf<ConfigSchema>;
  readonly #log: Log;
  readonly #tasks = new KnownTasks<Known>();
  readonly #life = new AbortController();
  #engine: Promise<unknown> | null = null;

  constructor(definition: AnyEngineDefinition, options: ConfigOf<ConfigSchema>, log: Log) {
    const { name, version, filesystem = 'none', networkModes = ['host'], mounts = false } = definition;
    this.info = { name, version, filesystem, networkModes, mounts };
    this.#definition = definition;
    // every task waits on it
    setMaxListeners(0, this.#life.signal);
    this.#options = options;
    this.#log = log;
    if (definition.stats !== undefined) this.stats = (id, signal) => this.#stats(id, signal);
    if (definition.signal !== undefined) this.signal = (id, name, signal) => this.#signal(id, name, signal);
    if (definition.exec !== undefined) this.exec = (id, request, signal) => this.#exec(id, request, signal);
    if (definition.events !== undefined) this.events = (signal) => this.#events(signal);
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return fingerprints(() => this.#look(signal), signal);
  }

  async #look(signal: AbortSignal): Promise<Fingerprint> {
    const { name, version, fingerprint } = this.#definition;
    try {
      const engine = await this.#open(signal);
      const given =
        fingerprint === undefined ? {} : await this.#call('fingerprint', signal, (own) => fingerprint(engine, own));
      return checkedFingerprint(name, version, given);
    } catch (error) {
      return failedFingerprint(error);
    }
  }

  rehearse(task: TaskConfig, signal: AbortSignal): Promise<readonly string[]> {
    return refusalsOf(signal, () => this.#checked(task as Task['task'], signal));
  }

  /** The engine, which takes this task as far as its author can tell. */
  async #checked(task: Task['task'], signal: AbortSignal): Promise<unknown> {
    const { name, check } = this.#definition;
    const engine = await this.#open(signal);
    if (check !== undefined)
      await this.#call('check', signal, async (own) => checkedNothing(name, await check(engine, task, own)));
    return engine;
  }

  async start(task: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
    return this.#tasks.start(task.id, async () => {
      const { name, state: definition, start } = this.#definition;
      const typed = task as Task['task'];
      const engine = await this.#checked(typed, signal);
      const given = await this.#call(
        'start',
        signal,
        (own) => start(engine, typed, own),
        (late) => void this.#undo(engine, typed, late),
      );
      if (typeof given !== 'object' || given === null) throw wrongReturn(name, 'start', 'a "state"', given);
      const state = storedState(name, definition, given.state);
      return this.#known(typed, engine, state, networkOf(name, given.network));
    });
  }

  /** A start that nobody waited for any more went through after all: nothing of it may stay. */
  async #undo(engine: unknown, task: Task['task'], late: unknown): Promise<void> {
    const { name, state: definition, stop, remove } = this.#definition;
    const { signal } = this.#life;
    try {
      const state = readState(
        name,
        definition,
        storedState(name, definition, (late as { state?: unknown } | null)?.state),
      );
      const running = { engine, task, state };
      await this.#call('stop', signal, (own) => stop(running, { timeoutMs: 0, killSignal: 'SIGKILL' }, own));
      await this.#call('remove', signal, (own) => remove(running, own));
    } catch (error) {
      this.#log.error('a start that came too late could not be undone', { task: task.id, reason: messageOf(error) });
    }
  }

  async recover(task: TaskConfig, stored: TaskHandleState, signal: AbortSignal): Promise<StartedTask> {
    const known = this.#tasks.get(task.id);
    if (known !== undefined) return known.started;
    return this.#tasks.alone(task.id, async () => {
      const { name, state: definition, find } = this.#definition;
      const fields = readState(name, definition, stored);
      const engine = await this.#open(signal);
      const typed = task as Task['task'];
      const there = await this.#call('find', signal, (own) => find({ engine, task: typed, state: fields }, own));
      if (typeof there !== 'boolean') throw wrongReturn(name, 'find', 'true or false', there);
      if (!there) throw new Fault('not_found', `driver ${name}: the engine does not know task ${task.id} any more`);
      return this.#known(typed, engine, storedState(name, definition, fields), undefined);
    });
  }

  #known(task: Task['task'], engine: unknown, state: TaskHandleState, network: StartedTask['network']): StartedTask {
    const { name, state: definition } = this.#definition;
    const running: Task = { engine, task, state: readState(name, definition, state) };
    const started: StartedTask = { state, ...(network === undefined ? {} : { network }) };
    const known: Known = { running, started, startedAt: now(), end: this.#end(running), exit: null, completedAt: null };
    known.end.then(
      (exit) => {
        known.exit = exit;
        known.completedAt = exit.finishedAt ?? now();
      },
      () => {},
    );
    this.#tasks.keep(task.id, known);
    return started;
  }

  async #end(running: Task): Promise<TaskExit> {
    const { name, wait } = this.#definition;
    for (let backoffMs = 500; ; backoffMs = Math.min(2 * backoffMs, longestWaitBackoffMs)) {
      this.#life.signal.throwIfAborted();
      try {
        return exitOf(name, await abortable(Promise.resolve(wait(running, this.#life.signal)), this.#life.signal));
      } catch (error) {
        this.#life.signal.throwIfAborted();
        if (isFault(error, 'not_found'))
          return { exitCode: 0, signal: 0, oomKilled: false, unknown: 'lost', message: error.message };
        this.#log.error('the end of a task cannot be waited for', { task: running.task.id, reason: messageOf(error) });
        await sleep(backoffMs, undefined, { signal: this.#life.signal, ref: false });
      }
    }
  }

  async wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    return abortable(this.#tasks.find(taskId).end, signal);
  }

  async stop(
    taskId: string,
    how: { readonly timeoutMs: number; readonly killSignal: string },
    signal: AbortSignal,
  ): Promise<void> {
    const known = this.#tasks.find(taskId);
    if (known.exit !== null) return;
    const unknownName = how.killSignal === '' || signalNumber(how.killSignal) === null;
    const killSignal = unknownName ? defaultKillSignal : how.killSignal;
    const limitMs = how.timeoutMs + this.#limit('stop');
    await this.#call(
      'stop',
      signal,
      (own) => this.#definition.stop(known.running, { ...how, killSignal }, own),
      undefined,
      limitMs,
    );
    await callHook({ driver: this.info.name, hook: 'wait after a stop', limitMs, signal }, () => known.end);
  }

  async destroy(taskId: string, { force }: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    if (!this.#tasks.holds(taskId)) await this.#removeUnknown(taskId, signal);
    const known = this.#tasks.find(taskId);
    if (known.exit === null) {
      if (!force) throw new Fault('conflict', `task ${taskId} is still running`);
      await this.stop(taskId, { timeoutMs: 0, killSignal: 'SIGKILL' }, signal);
    }
    await this.#call('remove', signal, (own) => this.#definition.remove(known.running, own));
    this.#tasks.forget(taskId);
  }

  /** Its start may have been cut short by the end of another process of this driver. */
  async #removeUnknown(taskId: string, signal: AbortSignal): Promise<void> {
    const { removeUnknown } = this.#definition;
    if (removeUnknown === undefined) return;
    const engine = await this.#open(signal);
    await this.#call('removeUnknown', signal, (own) => removeUnknown(engine, taskId, own));
  }

  async inspect(taskId: string): Promise<TaskStatus> {
    const { exit, startedAt, completedAt } = this.#tasks.find(taskId);
    return { state: exit === null ? 'running' : 'exited', startedAt, completedAt, exit, attributes: {} };
  }

  async #stats(taskId: string, signal: AbortSignal): Promise<TaskStats> {
    const { running } = this.#tasks.find(taskId);
    const given = await this.#call('stats', signal, (own) => this.#definition.stats!(running, own));
    return statsOfEngine(this.info.name, given, now());
  }

  async #signal(taskId: string, name: string, signal: AbortSignal): Promise<void> {
    const { running, exit } = this.#tasks.find(taskId);
    requireSignal(name);
    if (exit !== null) throw new Fault('conflict', `task ${taskId} has ended`);
    await this.#call('signal', signal, (own) => this.#definition.signal!(running, name, own));
  }

  async #exec(taskId: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    const { running, exit } = this.#tasks.find(taskId);
    if (exit !== null) throw new Fault('conflict', `task ${taskId} has ended`);
    // the session outlives the call that opens it: it ends by the caller's own signal
    const session = await this.#call('exec', signal, () => this.#definition.exec!(running, request, signal));
    return sessionOf(this.info.name, session);
  }

  async *#events(signal: AbortSignal): AsyncGenerator<DriverEvent> {
    const given = this.#definition.events!(await this.#open(signal), AbortSignal.any([signal, this.#life.signal]));
    for await (const event of given) yield eventOf(this.info.name, event);
  }

  async close(): Promise<void> {
    const opened = this.#engine;
    this.#life.abort(new Fault('unavailable', 'the driver is closed'));
    this.#tasks.clear();
    const { name, close } = this.#definition;
    const engine = await opened?.catch(() => undefined);
    if (close === undefined || opened === null) return;
    const call = { driver: name, hook: 'close', limitMs: this.#limit('close'), signal: new AbortController().signal };
    await callHook(call, () => close(engine)).catch((error) =>
      this.#log.warn('closing failed', { reason: messageOf(error) }),
    );
  }

  /** Connected once; after a failure the next hook tries again. */
  #open(signal: AbortSignal): Promise<unknown> {
    const { open } = this.#definition;
    if (open === undefined) return Promise.resolve(undefined);
    if (this.#engine === null) {
      const opening = this.#call('open', this.#life.signal, (own) =>
        open(this.#options, { log: this.#log, signal: own }),
      );
      this.#engine = opening;
      opening.catch(() => {
        this.#engine = null;
      });
    }
    return abortable(this.#engine, signal);
  }

  #limit(hook: EngineHook): number {
    return this.#definition.limitsMs?.[hook] ?? limits[hook];
  }

  #call<R>(
    hook: EngineHook,
    signal: AbortSignal,
    work: (signal: AbortSignal) => R | Promise<R>,
    late?: (value: R) => void,
    limitMs = this.#limit(hook),
  ): Promise<R> {
    return callHook({ driver: this.info.name, hook, limitMs, signal }, work, late);
  }
}
