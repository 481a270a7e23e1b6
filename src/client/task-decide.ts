/**
 * What one task does next, as a pure function: (state, event) → (state, effects).
 *
 *            allow           prepared         started
 *   waiting ───────▶ preparing ─────▶ starting ─────▶ running ──┐ exited
 *      ▲                 ▲   └──────────┬──┘ ◀─ recovered ─┐    │
 *      │ restart all     └── backoff ◀──┴── restart policy ┼────┤
 *      │                                                   │    ▼
 *   recovering (after a restart of the agent) ─────────────┘   dead
 *        └─ cannot be found ─▶ held (until servers were reached) ─▶ restart policy
 *
 * A kill leads to dead from every phase. `dead` is left only when all tasks of the allocation are restarted.
 */
import type { IsolationReport, TaskExit, TaskHandleState } from '../driver/contract.ts';
import { unreachable } from '../lib/assert.ts';
import type { DriverChoice } from '../model/driver-choice.ts';
import type { OnDegrade } from '../model/isolation-floor.ts';
import type { RestartPolicy } from '../model/restart-policy.ts';
import type { TaskEvent, TaskState } from '../model/task-state.ts';
import { afterEnd, noRestarts, type RestartHistory, type TaskEnd } from './restart-tracker.ts';
import * as events from './task-events.ts';

export type Phase = 'waiting' | 'preparing' | 'starting' | 'running' | 'backoff' | 'recovering' | 'held' | 'dead';

/** Kept in the client's state, whole, after each step. */
export interface TaskRun {
  readonly phase: Phase;
  /** 8 hex digits, new for each start; `""`: never started. */
  readonly generation: string;
  /** What the driver wants back to find the task again. */
  readonly handle: TaskHandleState | null;
  /** Of the newest generation that ran; it outlives that. Null: none ran, or its driver tells none. */
  readonly isolation: IsolationReport | null;
  readonly state: TaskState;
  readonly restarts: RestartHistory;
  /** `delaying`: within shutdown_delay. */
  readonly kill: 'no' | 'delaying' | 'stopping';
  /** Somebody asked for a restart: the next end is no failure. `gated`: it then waits for its turn in the lifecycle. */
  readonly restartAsked: 'no' | 'now' | 'gated';
  /** Directories were announced once; preparing again says nothing. */
  readonly announced: boolean;
}

export interface TaskRules {
  readonly policy: RestartPolicy;
  readonly restartsOnSuccess: boolean;
  readonly shutdownDelayNs: number;
  /** The task's kill_timeout, capped by the node. */
  readonly killTimeoutNs: number;
}

export type TaskInput =
  | { readonly type: 'allow'; readonly generation: string }
  | { readonly type: 'prepared' }
  | { readonly type: 'not-started'; readonly event: TaskEvent; readonly recoverable: boolean }
  | { readonly type: 'started'; readonly handle: TaskHandleState; readonly isolation?: IsolationReport | undefined }
  | { readonly type: 'recovered'; readonly handle: TaskHandleState; readonly isolation?: IsolationReport | undefined }
  /** `reason`: `"reboot"`, `"lost"`. `started` false: it had not been told to run yet, and now never was. */
  | { readonly type: 'not-recovered'; readonly reason: string; readonly started: boolean; readonly hold: boolean }
  | { readonly type: 'servers-reached' }
  | { readonly type: 'exited'; readonly exit: TaskExit }
  | { readonly type: 'backoff-over'; readonly generation: string }
  | { readonly type: 'shutdown-delay-over' }
  | { readonly type: 'kill'; readonly reasons: readonly TaskEvent[]; readonly noShutdownDelay: boolean }
  | { readonly type: 'restart'; readonly event: TaskEvent; readonly gated: boolean }
  /** The allocation cannot be made ready: the task fails before its turn. */
  | { readonly type: 'refuse'; readonly event: TaskEvent }
  /** Lines were lost, or hold again: `isolation` is what there is now. */
  | {
      readonly type: 'isolation-changed';
      readonly generation: string;
      readonly isolation: IsolationReport;
      readonly event: TaskEvent;
      readonly action: OnDegrade;
    }
  /** Of a task of "auto", once, before anything of it is made. */
  | { readonly type: 'chosen'; readonly choice: DriverChoice; readonly event: TaskEvent }
  | { readonly type: 'note'; readonly event: TaskEvent };

export type TaskEffect =
  | { readonly do: 'prepare' }
  | { readonly do: 'start' }
  | { readonly do: 'wait' }
  | { readonly do: 'stop' }
  /** Frees what an ended (or, after a crash, half-started) generation held. */
  | { readonly do: 'destroy'; readonly generation: string }
  | { readonly do: 'back-off'; readonly ms: number }
  | { readonly do: 'delay-shutdown'; readonly ms: number }
  /** Timers and whatever is being prepared are dropped. */
  | { readonly do: 'cancel' };

export interface Decision {
  readonly run: TaskRun;
  readonly effects: readonly TaskEffect[];
}

export interface Moment {
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** 0 ≤ x < 1 */
  readonly random: number;
}

export function newTaskRun(nowMs: number): TaskRun {
  const state: TaskState = {
    State: 'pending',
    Failed: false,
    Restarts: 0,
    LastRestart: null,
    StartedAt: null,
    FinishedAt: null,
    Events: [],
    Paused: '',
  };
  const run: TaskRun = {
    phase: 'waiting',
    generation: '',
    handle: null,
    isolation: null,
    state,
    restarts: noRestarts,
    kill: 'no',
    restartAsked: 'no',
    announced: false,
  };
  return note(run, events.received, nowMs);
}

/** What a stored run is taken up as when the agent starts again. */
export function resumed(run: TaskRun): TaskRun {
  if (run.phase === 'dead' || run.phase === 'waiting' || run.phase === 'held') return run;
  // between two generations nothing runs: begin where the lifecycle allows it
  if (run.phase === 'backoff') return { ...run, phase: 'waiting' };
  return { ...run, phase: 'recovering' };
}

/** The next state of a task and what is to be done about it; pure. An input that does not fit the phase changes nothing. */
export function decide(run: TaskRun, input: TaskInput, rules: TaskRules, moment: Moment): Decision {
  const say = (event: TaskEvent, from = run): TaskRun => note(from, event, moment.nowMs);
  switch (input.type) {
    case 'allow':
      if (run.phase !== 'waiting') return stay(run);
      return prepare(run, input.generation, moment);
    case 'prepared':
      if (run.phase !== 'preparing') return stay(run);
      return { run: { ...run, phase: 'starting' }, effects: [{ do: 'start' }] };
    case 'not-started':
      return notStarted(run, input, rules, moment);
    case 'started':
    case 'recovered':
      return runs(run, input, moment);
    case 'not-recovered':
      return notRecovered(run, input, rules, moment);
    case 'servers-reached':
      if (run.phase !== 'held') return stay(run);
      return ended(run, { kind: 'exited', exit: lostExit('lost') }, rules, moment);
    case 'exited':
      if (run.phase !== 'running') return stay(run);
      return ended(say(events.terminated(input.exit)), { kind: 'exited', exit: input.exit }, rules, moment);
    case 'backoff-over':
      if (run.phase !== 'backoff') return stay(run);
      return prepare(run, input.generation, moment);
    case 'shutdown-delay-over':
      if (run.kill !== 'delaying') return stay(run);
      return { run: { ...run, kill: 'stopping' }, effects: run.phase === 'running' ? [{ do: 'stop' }] : [] };
    case 'kill':
      return kill(run, input, rules, moment);
    case 'restart':
      return restart(run, input, moment);
    case 'isolation-changed':
      if (run.phase !== 'running' || run.generation !== input.generation) return stay(run);
      return isolationChanged(run, input, rules, moment);
    case 'refuse':
      if (run.phase !== 'waiting') return stay(run);
      return dead(say(input.event), true, moment);
    case 'chosen': {
      const said = say(input.event);
      return stay({ ...said, state: { ...said.state, DriverChoice: input.choice } });
    }
    case 'note':
      return stay(say(input.event));
    default:
      return unreachable(input);
  }
}

function stay(run: TaskRun): Decision {
  return { run, effects: [] };
}

function prepare(run: TaskRun, generation: string, moment: Moment): Decision {
  const said = run.announced ? run : { ...note(run, events.buildingDirectory, moment.nowMs), announced: true };
  const next: TaskRun = { ...said, phase: 'preparing', generation, handle: null, restartAsked: 'no' };
  return { run: { ...next, state: { ...next.state, State: 'pending' } }, effects: [{ do: 'prepare' }] };
}

function notStarted(
  run: TaskRun,
  input: { readonly event: TaskEvent; readonly recoverable: boolean },
  rules: TaskRules,
  moment: Moment,
): Decision {
  if (run.phase !== 'preparing' && run.phase !== 'starting') return stay(run);
  if (run.kill !== 'no') return dead(run, false, moment);
  const said = note(run, input.event, moment.nowMs);
  return ended(said, { kind: 'not-started', recoverable: input.recoverable }, rules, moment);
}

function runs(
  run: TaskRun,
  input: Extract<TaskInput, { readonly type: 'started' | 'recovered' }>,
  moment: Moment,
): Decision {
  if (run.phase !== 'starting' && run.phase !== 'recovering') return stay(run);
  // what was seen of a running task since its start counts, not what its driver remembers of that
  const seen = input.type === 'recovered' && run.handle !== null ? (run.isolation ?? null) : null;
  const isolation = seen ?? input.isolation ?? (input.type === 'recovered' ? (run.isolation ?? null) : null);
  const next: TaskRun = { ...run, phase: 'running', handle: input.handle, isolation };
  // a start that was stored before its end was known counts as started now
  const fresh = input.type === 'started' || run.state.State !== 'running';
  const since = { State: 'running', StartedAt: rfc3339(moment.nowMs), FinishedAt: null };
  const begun = fresh ? note({ ...next, state: { ...next.state, ...since } }, events.started, moment.nowMs) : next;
  const about = input.type === 'started' && isolation !== null ? events.isolationEvent(isolation) : null;
  const said = about === null ? begun : note(begun, about, moment.nowMs);
  const stopNow = said.kill === 'stopping' || said.restartAsked !== 'no';
  const delayed: TaskEffect[] = said.kill === 'delaying' ? [{ do: 'delay-shutdown', ms: 0 }] : [];
  return { run: said, effects: [{ do: 'wait' }, ...(stopNow ? [{ do: 'stop' } as const] : delayed)] };
}

function notRecovered(
  run: TaskRun,
  input: { readonly reason: string; readonly started: boolean; readonly hold: boolean },
  rules: TaskRules,
  moment: Moment,
): Decision {
  if (run.phase !== 'recovering') return stay(run);
  const free: TaskEffect = { do: 'destroy', generation: run.generation };
  if (run.kill !== 'no') return withEffect(free, dead(run, false, moment));
  const pending: TaskRun = { ...run, handle: null, state: { ...run.state, State: 'pending' } };
  if (!input.started) return withEffect(free, stay({ ...pending, phase: 'waiting' }));
  const exit = lostExit(input.reason);
  const said = note(pending, events.terminated(exit), moment.nowMs);
  // the servers may have replaced the allocation meanwhile: ask them before it runs twice
  if (input.hold) return withEffect(free, stay({ ...said, phase: 'held' }));
  return withEffect(free, ended({ ...said, phase: 'held' }, { kind: 'exited', exit }, rules, moment));
}

function lostExit(reason: string): TaskExit {
  return { exitCode: 0, signal: 0, oomKilled: false, unknown: reason };
}

/** A generation is over (or never began): again, or never again. */
function ended(run: TaskRun, end: TaskEnd, rules: TaskRules, moment: Moment): Decision {
  const free: TaskEffect[] = run.phase === 'running' ? [{ do: 'destroy', generation: run.generation }] : [];
  const over: TaskRun = { ...run, handle: null };
  if (over.kill !== 'no') {
    return withEffects([{ do: 'cancel' }, ...free], dead(note(over, events.killed, moment.nowMs), false, moment));
  }
  if (over.restartAsked !== 'no') {
    const again = backOff(over, 0, '', moment);
    if (over.restartAsked === 'gated') return withEffects(free, stay({ ...again, phase: 'waiting' }));
    return withEffects(free, { run: again, effects: [{ do: 'back-off', ms: 0 }] });
  }
  const verdict = afterEnd(end, rules.policy, rules.restartsOnSuccess, over.restarts, moment.nowMs, moment.random);
  const counted: TaskRun = { ...over, restarts: verdict.history };
  switch (verdict.verdict) {
    case 'complete':
      return withEffects(free, dead(counted, false, moment));
    case 'fail':
      return withEffects(free, dead(note(counted, events.notRestarting(verdict.reason), moment.nowMs), true, moment));
    case 'restart': {
      const again = backOff(counted, verdict.delayMs, verdict.reason, moment);
      return withEffects(free, { run: again, effects: [{ do: 'back-off', ms: verdict.delayMs }] });
    }
    default:
      return unreachable(verdict.verdict);
  }
}

function backOff(run: TaskRun, delayMs: number, reason: string, moment: Moment): TaskRun {
  const said = note(run, events.restarting(delayMs * 1e6, reason), moment.nowMs);
  const state: TaskState = {
    ...said.state,
    State: 'pending',
    Restarts: said.state.Restarts + 1,
    LastRestart: rfc3339(moment.nowMs),
  };
  return { ...said, phase: 'backoff', restartAsked: 'no', state };
}

function kill(
  run: TaskRun,
  input: { readonly reasons: readonly TaskEvent[]; readonly noShutdownDelay: boolean },
  rules: TaskRules,
  moment: Moment,
): Decision {
  if (run.phase === 'dead') return stay(run);
  if (run.kill !== 'no') {
    if (run.kill === 'delaying' && input.noShutdownDelay) {
      return { run: { ...run, kill: 'stopping' }, effects: run.phase === 'running' ? [{ do: 'stop' }] : [] };
    }
    return stay(run);
  }
  let said = run;
  for (const event of [...input.reasons, events.killing(rules.killTimeoutNs)]) said = note(said, event, moment.nowMs);
  switch (run.phase) {
    case 'running': {
      if (rules.shutdownDelayNs === 0 || input.noShutdownDelay) {
        return { run: { ...said, kill: 'stopping' }, effects: [{ do: 'stop' }] };
      }
      const waits = note(said, events.waitingShutdownDelay(rules.shutdownDelayNs), moment.nowMs);
      return {
        run: { ...waits, kill: 'delaying' },
        effects: [{ do: 'delay-shutdown', ms: rules.shutdownDelayNs / 1e6 }],
      };
    }
    case 'starting':
    case 'recovering':
      // whether it runs is not known yet; it is stopped as soon as it is
      return stay({ ...said, kill: 'stopping' });
    default:
      return withEffect({ do: 'cancel' }, dead({ ...said, kill: 'stopping' }, false, moment));
  }
}

function restart(
  run: TaskRun,
  input: { readonly event: TaskEvent; readonly gated: boolean },
  moment: Moment,
): Decision {
  if (run.kill !== 'no') return stay(run);
  const said = note(run, input.event, moment.nowMs);
  const restartAsked = input.gated ? 'gated' : 'now';
  switch (run.phase) {
    case 'running':
      return { run: { ...said, restartAsked }, effects: run.restartAsked === 'no' ? [{ do: 'stop' }] : [] };
    case 'dead':
      if (!input.gated) return stay(run);
      return stay({
        ...said,
        phase: 'waiting',
        state: { ...said.state, State: 'pending', Failed: false, FinishedAt: null },
      });
    case 'backoff':
      return withEffect({ do: 'cancel' }, stay({ ...said, phase: 'waiting' }));
    default:
      return stay(run);
  }
}

/** `stop`: the task has failed, so its allocation is placed elsewhere as its group's policy says. */
function isolationChanged(
  run: TaskRun,
  { isolation, event, action }: Extract<TaskInput, { readonly type: 'isolation-changed' }>,
  rules: TaskRules,
  moment: Moment,
): Decision {
  const known: TaskRun = { ...run, isolation };
  if (action === 'restart') return restart(known, { event, gated: false }, moment);
  if (action === 'warn' || run.kill !== 'no') return stay(note(known, event, moment.nowMs));
  const failed: TaskRun = { ...known, state: { ...known.state, Failed: true } };
  return kill(failed, { reasons: [{ ...event, FailsTask: true }], noShutdownDelay: true }, rules, moment);
}

function dead(run: TaskRun, failed: boolean, moment: Moment): Decision {
  // one that was ended because it had failed stays so
  const Failed = failed || (run.kill !== 'no' && run.state.Failed);
  const state: TaskState = { ...run.state, State: 'dead', Failed, FinishedAt: rfc3339(moment.nowMs) };
  return { run: { ...run, phase: 'dead', handle: null, kill: 'no', restartAsked: 'no', state }, effects: [] };
}

function withEffect(first: TaskEffect, then: Decision): Decision {
  return withEffects([first], then);
}

function withEffects(first: readonly TaskEffect[], then: Decision): Decision {
  return { run: then.run, effects: [...first, ...then.effects] };
}

/** The event with its time, among the last ten. */
function note(run: TaskRun, event: TaskEvent, nowMs: number): TaskRun {
  const kept = [...(run.state.Events ?? []), { ...event, Time: nanoseconds(nowMs) }].slice(-events.keptEvents);
  return { ...run, state: { ...run.state, Events: kept } };
}

function nanoseconds(nowMs: number): number {
  return Math.round(nowMs * 1e6);
}

export function rfc3339(nowMs: number): string {
  return new Date(nowMs).toISOString();
}
