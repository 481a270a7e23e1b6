/** Carries out what task-decide decides for one task: directories, driver calls, timers, storing. */

import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { EngineDriver, IsolationReport, StartedTask, TaskConfig, TaskExit } from '../driver/contract.ts';
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { highestFloor, type IsolationFloor, onLoss } from '../model/isolation-floor.ts';
import { isolationChange, linesMadeWith } from '../model/isolation-losses.ts';
import { StartRefusal, taskId } from './task-config.ts';
import { decide, newTaskRun, type TaskEffect, type TaskInput, type TaskRules, type TaskRun } from './task-decide.ts';
import {
  belowDemand,
  belowSoftFloor,
  driverFailure,
  hookFailed,
  isolationLost,
  isolationRegained,
  mechanismLost,
} from './task-events.ts';
import { missingFor, type SoftFloor, unprovable } from './task-floor.ts';

export interface TaskRunnerOptions {
  readonly allocId: string;
  readonly name: string;
  readonly killSignal: string;
  rules(): TaskRules;
  /** Null: this node has no such driver. */
  engine(): EngineDriver | null;
  /** Directories and what else must be there before a start; `StartRefusal` or any error. `known`: from now on configurations can be built. */
  prepare(known: () => void): Promise<void>;
  buildConfig(generation: string): TaskConfig;
  /** What the task may not fall below, by each who demands something. */
  demands(): readonly IsolationFloor[];
  softFloor(): SoftFloor | null;
  /** Resolves when durable; the newest state wins. */
  save(run: TaskRun): Promise<void>;
  /** There is news: once it is durable (or could not be made so), a start at once. */
  changed(): void;
  /** Resolves once the servers said what this node should run. */
  readonly serversReached: Promise<void>;
  /** System jobs run on every node: nobody replaces them, so they need not ask. */
  readonly holdWhenLost: boolean;
  now(): number;
  random(): number;
  /** 8 hex digits. */
  newGeneration(): string;
  readonly log: Log;
}

const stopTries = 5;
const mostUnknown = 5;
const longestRecoveryMs = 10_000;
const shortestFreeMs = 250;
const longestFreeMs = 60_000;

/** After a crash the two are the same, so nothing has to be stored. */
function isOnlyPrepared(before: TaskRun, run: TaskRun): boolean {
  return before.phase === 'preparing' && run.phase === 'starting' && run.state === before.state;
}

export class TaskRunner {
  readonly name: string;
  readonly #options: TaskRunnerOptions;
  #run: TaskRun;
  #saved: Promise<boolean> = Promise.resolve(true);
  /** The newest generation is on the disk. */
  #generationSaved: Promise<boolean> = Promise.resolve(true);
  /** Ends with the agent's interest in the task; the task itself goes on. */
  readonly #life = new AbortController();
  #attempt = new AbortController();
  /** What the driver was told to expect last. */
  #expected: TaskConfig | null = null;
  #stopping = false;
  #whenDead: (() => void)[] = [];

  constructor(options: TaskRunnerOptions, stored: TaskRun | null) {
    this.#options = options;
    this.name = options.name;
    this.#run = stored ?? newTaskRun(options.now());
    // told by whoever made this runner
    if (stored === null) this.#keep(false);
  }

  get run(): TaskRun {
    return this.#run;
  }

  get taskId(): string {
    return taskId(this.#options.allocId, this.name, this.#run.generation);
  }

  /** Whether the last step reached the disk. */
  saved(): Promise<boolean> {
    return this.#saved;
  }

  /** Resolves when the task is dead; also when the agent goes. */
  get dead(): Promise<void> {
    if (this.#run.phase === 'dead' || this.#life.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenDead.push(resolve);
    });
  }

  allow(): void {
    this.send({ type: 'allow', generation: this.#options.newGeneration() });
  }

  /** The agent goes, the task stays. */
  detach(): void {
    this.#life.abort();
    this.#attempt.abort();
    this.#settleDead();
  }

  #settleDead(): void {
    for (const resolve of this.#whenDead.splice(0)) resolve();
  }

  send(input: TaskInput): void {
    if (this.#life.signal.aborted) return;
    const before = this.#run;
    const moment = { nowMs: this.#options.now(), random: this.#options.random() };
    const decision = decide(before, input, this.#options.rules(), moment);
    this.#run = decision.run;
    if (this.#run.phase !== 'running') this.#stopping = false;
    // That a task runs may be told before it is stored: an agent that is killed in between finds the task again as running. An end may not:
    // who hears of it may start the next instance.
    const toldAtOnce = input.type === 'started';
    if (this.#run !== before && !isOnlyPrepared(before, this.#run)) this.#keep(!toldAtOnce);
    if (this.#run.generation !== before.generation) this.#generationSaved = this.#saved;
    if (this.#run.phase === 'dead') this.#settleDead();
    for (const effect of decision.effects) void this.#carryOut(effect);
    if (this.#run !== before && toldAtOnce) this.#options.changed();
  }

  #keep(tell: boolean): void {
    const saving = this.#options.save(this.#run).then(
      () => true,
      (error: unknown) => {
        this.#log('error', error, 'the state of a task could not be stored');
        return false;
      },
    );
    this.#saved = saving;
    if (tell) void saving.then(() => this.#options.changed());
  }

  async #carryOut(effect: TaskEffect): Promise<void> {
    try {
      switch (effect.do) {
        case 'prepare':
          return await this.#prepare();
        case 'start':
          return await this.#start();
        case 'wait':
          return await this.#wait();
        case 'stop':
          return await this.#stop();
        case 'destroy':
          return await this.#free(effect.generation);
        case 'back-off':
          await this.#after(effect.ms);
          return this.send({ type: 'backoff-over', generation: this.#options.newGeneration() });
        case 'delay-shutdown':
          await this.#after(effect.ms);
          return this.send({ type: 'shutdown-delay-over' });
        case 'cancel':
          this.#attempt.abort();
          this.#attempt = new AbortController();
      }
    } catch (error) {
      if (!this.#life.signal.aborted && !isAbort(error))
        this.#log('error', error, `the step "${effect.do}" of a task failed`);
    }
  }

  async #after(ms: number): Promise<void> {
    // longer than one timer can be: 24.8 days
    for (let left = ms; left > 0; left -= 2 ** 31 - 1) {
      await sleep(Math.min(left, 2 ** 31 - 1), undefined, { signal: this.#attempt.signal });
    }
  }

  async #prepare(): Promise<void> {
    const { signal } = this.#attempt;
    const { generation } = this.#run;
    let expecting = Promise.resolve();
    const known = (): void => {
      expecting = this.#expect(generation);
    };
    try {
      await this.#options.prepare(known);
      await expecting;
      this.send({ type: 'prepared' });
    } catch (error) {
      if (!signal.aborted) this.#refused(error, (message) => hookFailed('task_dir', message), true);
    }
    await expecting;
    // refused or killed meanwhile: nothing starts that would take what was made ready
    const begins = this.#run.phase === 'starting' && this.#run.generation === generation;
    if (!begins && this.#expected?.id === taskId(this.#options.allocId, this.name, generation))
      await this.#destroy(generation);
  }

  /** While directories are made. Why it cannot be is for the start to say. */
  async #expect(generation: string): Promise<void> {
    const engine = this.#options.engine();
    if (engine?.expect === undefined) return;
    // the store gathers in one turn of the loop and its journal begins in the next: what this takes is not to hold the generation up
    await setImmediate();
    await setImmediate();
    const { phase, generation: now } = this.#run;
    if (phase !== 'preparing' || now !== generation || this.#life.signal.aborted) return;
    try {
      if (unprovable(engine, highestFloor(this.#options.demands())) !== null) return;
      this.#expected = this.#options.buildConfig(generation);
      engine.expect(this.#expected);
    } catch {
      this.#expected = null;
    }
  }

  async #start(): Promise<void> {
    const engine = this.#options.engine();
    try {
      if (engine === null) throw new Fault('not_found', 'the driver is not on this node');
      const { generation } = this.#run;
      const config = this.#expected?.id === this.taskId ? this.#expected : this.#options.buildConfig(generation);
      const floor = highestFloor(this.#options.demands());
      const refusal = unprovable(engine, floor);
      if (refusal !== null) throw new Fault('unsupported', refusal);
      // the generation is on the disk before anything runs under it
      if (!(await this.#generationSaved)) {
        await this.#destroy(generation);
        throw new Fault('unavailable', "the client's state cannot be written: the disk may be full", {
          recoverable: true,
        });
      }
      const started = await engine.start(config, this.#life.signal);
      const missing = missingFor(floor, started.isolation);
      if (missing.length > 0) {
        // the driver should have refused: whatever it started does not go on
        await engine.destroy(config.id, { force: true }, this.#life.signal);
        throw new Fault('unsupported', `isolation floor "${floor.min}" is not reached; missing: ${missing.join(', ')}`);
      }
      this.send({ type: 'started', handle: started.state, isolation: started.isolation });
      this.#saySoft(started.isolation);
    } catch (error) {
      if (this.#life.signal.aborted) return;
      this.#refused(error, driverFailure, false);
    }
  }

  /** What a namespace demands without enforcing it is said (`warn`) or only written down (`audit`). */
  #saySoft(report: IsolationReport | undefined): void {
    const soft = this.#options.softFloor();
    const missing = soft === null ? [] : missingFor(soft.floor, report);
    if (soft === null || missing.length === 0) return;
    this.#options.log.warn('a task runs below what its namespace demands', {
      alloc: this.#options.allocId,
      task: this.name,
      mode: soft.mode,
      missing: missing.join(', '),
    });
    if (soft.mode === 'warn') this.send({ type: 'note', event: belowSoftFloor(soft.floor.min, missing) });
  }

  /** A demand may have grown since the running task was started (its namespace's, or its node's with a new agent): that is said, once. */
  sayBelow(): void {
    const { phase, isolation, state } = this.#run;
    if (phase !== 'running') return;
    const floor = highestFloor(this.#options.demands());
    const missing = missingFor(floor, isolation);
    const event = belowDemand(floor.min, missing);
    const isSaid = (state.Events ?? []).some(({ DisplayMessage }) => DisplayMessage === event.DisplayMessage);
    if (missing.length > 0 && !isSaid) this.send({ type: 'note', event });
  }

  /** Looks at what the running task has of what it was verified to have; says and does what is due where that changed. */
  async recheckIsolation(): Promise<void> {
    const { isolation: before, generation, phase } = this.#run;
    const engine = this.#options.engine();
    if (phase !== 'running' || before === null || engine?.isolation === undefined) return;
    const isolation = await engine.isolation(this.taskId, this.#life.signal);
    const { lost, regained } = isolationChange(before, isolation);
    if (lost.length > 0) {
      const names = lost.map(({ name }) => name);
      const action = onLoss(this.#options.demands(), names);
      this.#log('warn', names.join(', '), `a running task lost isolation: ${action}`);
      this.send({ type: 'isolation-changed', generation, isolation, event: isolationLost(isolation, lost), action });
    } else if (regained.length > 0) {
      const event = isolationRegained(isolation, regained);
      this.send({ type: 'isolation-changed', generation, isolation, event, action: 'warn' });
    }
  }

  /** It keeps what it has: to start it anew would only make it less. So nothing but a word is due. */
  mechanismLost(name: string, evidence: string): void {
    const { isolation, phase } = this.#run;
    const lines = phase === 'running' && isolation !== null ? linesMadeWith(name, isolation) : [];
    if (lines.length > 0) this.send({ type: 'note', event: mechanismLost(name, evidence, lines) });
  }

  #refused(error: unknown, event: typeof driverFailure, otherwise: boolean): void {
    if (error instanceof StartRefusal)
      this.send({ type: 'not-started', event: error.event, recoverable: error.recoverable });
    else {
      const recoverable = isFault(error) ? error.recoverable || otherwise : otherwise;
      this.send({ type: 'not-started', event: event(messageOf(error)), recoverable });
    }
  }

  /** Finds the task of a former life of the agent again. Where that takes long (its driver is away) it goes on behind. */
  async recover(): Promise<void> {
    const slow = new AbortController();
    const limit = sleep(longestRecoveryMs, undefined, { signal: slow.signal, ref: false }).catch(() => undefined);
    await Promise.race([this.#recover(), limit]);
    slow.abort();
  }

  /** One that waits for the servers does not hold up the others. */
  async #recover(): Promise<void> {
    const run = this.#run;
    if (run.phase === 'held') return void this.#askServers();
    if (run.phase !== 'recovering') return;
    const { signal } = this.#life;
    const engine = await this.#awaitEngine(signal);
    if (engine === null) return;
    if (run.handle === null) {
      const begun = await this.#begun(engine, run.generation);
      if (begun !== null) return this.send({ type: 'recovered', handle: begun.state, isolation: begun.isolation });
      await this.#destroy(run.generation);
      const started = run.state.State === 'running';
      this.send({ type: 'not-recovered', reason: 'lost', started, hold: this.#options.holdWhenLost });
      return void this.#askServers();
    }
    for (let attempt = 1; ; attempt++) {
      try {
        const found = await engine.recover(this.#options.buildConfig(run.generation), run.handle, signal);
        this.send({ type: 'recovered', handle: found.state, isolation: found.isolation });
        return this.sayBelow();
      } catch (error) {
        if (signal.aborted) return;
        this.#log('warn', error, `a task was not found again (attempt ${attempt})`);
        // a driver that is not there cannot tell that the task is gone: it may well run
        const away = isFault(error, 'unavailable');
        if ((away || attempt < 5) && !isFault(error, 'not_found') && !(error instanceof StartRefusal)) {
          await sleep(Math.min(5_000, 250 * 2 ** Math.min(5, attempt - 1)), undefined, { signal }).catch(
            () => undefined,
          );
          if (signal.aborted) return;
          continue;
        }
        this.send({ type: 'not-recovered', reason: 'lost', started: true, hold: this.#options.holdWhenLost });
        return void this.#askServers();
      }
    }
  }

  /** The driver may come later (a slow plugin). Until then its task is neither started again nor called dead. */
  async #awaitEngine(signal: AbortSignal): Promise<EngineDriver | null> {
    for (let said = false; !signal.aborted; said = true) {
      const engine = this.#options.engine();
      if (engine !== null) return engine;
      if (!said) this.#log('error', 'its driver is not on this node', 'a task is left alone until its driver is back');
      await sleep(500, undefined, { signal, ref: false }).catch(() => undefined);
    }
    return null;
  }

  /** The agent was killed between the driver's start and its storing: the task may run, or have ended, and is not run twice. */
  async #begun(engine: EngineDriver, generation: string): Promise<StartedTask | null> {
    if (engine.recoverStart === undefined || generation === '') return null;
    try {
      return await engine.recoverStart(this.#options.buildConfig(generation), this.#life.signal);
    } catch (error) {
      this.#log('warn', error, 'it cannot be told whether a task had begun: it is started anew');
      return null;
    }
  }

  async #askServers(): Promise<void> {
    if (this.#run.phase !== 'held') return;
    await this.#options.serversReached;
    this.send({ type: 'servers-reached' });
  }

  async #wait(): Promise<void> {
    const { signal } = this.#life;
    const id = this.taskId;
    let unknown = 0;
    let said = '';
    for (let failures = 0; ; ) {
      try {
        const exit = await this.#engine().wait(id, signal);
        // after a reboot, say: the servers may have replaced the allocation meanwhile
        if (exit.unknown !== undefined && this.#options.holdWhenLost) await this.#options.serversReached;
        return this.send({ type: 'exited', exit });
      } catch (error) {
        if (signal.aborted) return;
        // a driver may be away for long, with many tasks
        this.#log(said === messageOf(error) ? 'debug' : 'warn', error, 'waiting for a task was interrupted');
        said = messageOf(error);
        unknown = isFault(error, 'not_found') ? unknown + 1 : 0;
        // a driver that takes a task again and again and never knows it has lost it
        if (unknown > 0 && (unknown > mostUnknown || !(await this.#found(id)))) {
          return this.send({ type: 'exited', exit: lost });
        }
        await sleep(Math.min(5_000, 100 * 2 ** failures++), undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
      }
    }
  }

  /** A driver that began anew (its plugin died) is told about the task again. */
  async #found(id: string): Promise<boolean> {
    const { handle, generation } = this.#run;
    if (handle === null || id !== this.taskId) return false;
    try {
      await this.#engine().recover(this.#options.buildConfig(generation), handle, this.#life.signal);
      return true;
    } catch (error) {
      this.#log('warn', error, 'a task was lost by its driver');
      return !isFault(error, 'not_found') && !(error instanceof StartRefusal);
    }
  }

  async #stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { signal } = this.#life;
    const id = this.taskId;
    const options = { timeoutMs: this.#options.rules().killTimeoutNs / 1e6, killSignal: this.#options.killSignal };
    for (let attempt = 1; attempt <= stopTries && this.#run.phase === 'running' && this.taskId === id; attempt++) {
      try {
        return await this.#engine().stop(id, options, signal);
      } catch (error) {
        if (signal.aborted || isFault(error, 'not_found')) return;
        this.#log('warn', error, `a task could not be stopped (attempt ${attempt} of ${stopTries})`);
        await sleep(Math.min(120_000, 5_000 * 4 ** (attempt - 1)), undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** An ended generation. Again where it fails: the disk may be full, the driver away. */
  async #free(generation: string): Promise<void> {
    const { signal } = this.#life;
    for (let pauseMs = shortestFreeMs; ; pauseMs = Math.min(longestFreeMs, pauseMs * 2)) {
      // what the driver still knows about the end is let go only when the end is on the disk
      if ((await this.#saved) && (await this.#destroy(generation))) return;
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      if (!(await this.#saved)) this.#keep(false);
    }
  }

  /** False: it may still hold something. */
  async #destroy(generation: string): Promise<boolean> {
    await this.#saved;
    try {
      await this.#engine().destroy(
        taskId(this.#options.allocId, this.name, generation),
        { force: true },
        this.#life.signal,
      );
    } catch (error) {
      if (isFault(error, 'not_found') || this.#life.signal.aborted) return true;
      this.#log('warn', error, 'an ended task could not be freed');
      return false;
    }
    return true;
  }

  #engine(): EngineDriver {
    const engine = this.#options.engine();
    if (engine === null) throw new Fault('not_found', 'the driver is not on this node');
    return engine;
  }

  #log(level: 'debug' | 'warn' | 'error', error: unknown, message: string): void {
    this.#options.log[level](message, { alloc: this.#options.allocId, task: this.name, error: messageOf(error) });
  }
}

const lost: TaskExit = { exitCode: 0, signal: 0, oomKilled: false, unknown: 'lost' };

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
