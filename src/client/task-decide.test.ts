import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskExit } from '../driver/contract.ts';
import {
  decide,
  newTaskRun,
  type Phase,
  resumed,
  type TaskInput,
  type TaskRules,
  type TaskRun,
} from './task-decide.ts';
import { driverFailure, isolationLost, siblingFailed, userRestart, userRestartAll } from './task-events.ts';

const rules: TaskRules = {
  policy: { Attempts: 2, Interval: 60e9, Delay: 1e9, Mode: 'fail', RenderTemplates: false },
  restartsOnSuccess: true,
  shutdownDelayNs: 0,
  killTimeoutNs: 5e9,
};

const end = (exitCode: number): TaskExit => ({ exitCode, signal: 0, oomKilled: false });

/** Applies inputs one after the other; returns the last run and every effect in order. */
function play(inputs: readonly TaskInput[], with_: TaskRules = rules, from = newTaskRun(1_000)) {
  let run = from;
  const effects: string[] = [];
  inputs.forEach((input, step) => {
    const decision = decide(run, input, with_, { nowMs: 2_000 + step, random: 0 });
    run = decision.run;
    effects.push(...decision.effects.map((effect) => effect.do));
  });
  return { run, effects, types: run.state.Events!.map((event) => event.Type) };
}

const toRunning: readonly TaskInput[] = [
  { type: 'allow', generation: 'g1' },
  { type: 'prepared' },
  { type: 'started', handle: { version: 1 } },
];
const kill: TaskInput = { type: 'kill', reasons: [], noShutdownDelay: false };

describe('a task', () => {
  it('is prepared, started, waited for and freed, in this order', () => {
    const { effects, run } = play([...toRunning, { type: 'exited', exit: end(1) }]);
    expect(effects).toEqual(['prepare', 'start', 'wait', 'destroy', 'back-off']);
    expect(run).toMatchObject({ phase: 'backoff', handle: null });
    expect(run.state).toMatchObject({ State: 'pending', Restarts: 1 });
  });

  describe('whose isolation is not what it was', () => {
    const now = { rung: 'none', wanted: 'process', floor: 'process', runtime: 'none', mechanisms: [] } as const;
    const changed = (action: 'warn' | 'restart' | 'stop', generation = 'g1'): TaskInput => ({
      type: 'isolation-changed',
      generation,
      isolation: now,
      event: isolationLost(now, [{ name: 'pids_limit', evidence: 'pids.max max' }]),
      action,
    });

    it('goes on where it is only said, and its report is the new one', () => {
      const { run, effects, types } = play([...toRunning, changed('warn')]);
      expect(effects).toEqual(['prepare', 'start', 'wait']);
      expect(run).toMatchObject({ phase: 'running', isolation: now });
      expect(types.at(-1)).toBe('Isolation Degraded');
    });

    it('is started anew without counting as failed', () => {
      const { run, effects } = play([...toRunning, changed('restart'), { type: 'exited', exit: end(130) }]);
      expect(effects).toEqual(['prepare', 'start', 'wait', 'stop', 'destroy', 'back-off']);
      expect(run.state.Failed).toBe(false);
    });

    it('is stopped and has failed, so that it is placed elsewhere', () => {
      const { run, effects } = play([...toRunning, changed('stop'), { type: 'exited', exit: end(0) }]);
      expect(effects).toEqual(['prepare', 'start', 'wait', 'stop', 'cancel', 'destroy']);
      expect(run).toMatchObject({ phase: 'dead', state: { Failed: true } });
    });

    it('of another generation changes nothing', () => {
      expect(play([...toRunning, changed('stop', 'g0')]).effects).toEqual(['prepare', 'start', 'wait']);
    });

    it('keeps what was seen over a restart of the agent', () => {
      const { run } = play([...toRunning, changed('warn')]);
      const old = { ...now, rung: 'process' } as const;
      const again = play([{ type: 'recovered', handle: { version: 1 }, isolation: old }], rules, resumed(run));
      expect(again.run.isolation).toEqual(now);
    });
  });

  it('keeps the isolation report of its newest generation after the end', () => {
    const report = { rung: 'process', wanted: 'process', floor: 'none', runtime: 'none', mechanisms: [] } as const;
    const started: TaskInput = { type: 'started', handle: { version: 1 }, isolation: report };
    const { run } = play([...toRunning.slice(0, 2), started, { type: 'exited', exit: end(1) }]);
    expect(run).toMatchObject({ handle: null, isolation: report });
    const resumedRun: TaskRun = { ...run, phase: 'recovering' };
    expect(play([{ type: 'recovered', handle: { version: 1 } }], rules, resumedRun).run.isolation).toEqual(report);
    const again = play([{ type: 'backoff-over', generation: 'g2' }, ...toRunning.slice(1)], rules, run);
    expect(again.run.isolation).toBeNull();
  });

  it('announces its directory once, however often it starts', () => {
    const { types } = play([
      ...toRunning,
      { type: 'exited', exit: end(1) },
      { type: 'backoff-over', generation: 'g2' },
      ...toRunning.slice(1),
    ]);
    expect(types.filter((type) => type === 'Task Setup')).toHaveLength(1);
    expect(types.at(-1)).toBe('Started');
  });

  it('killed while it starts is stopped as soon as it runs', () => {
    const { effects, run } = play([...toRunning.slice(0, 2), kill, toRunning[2]!]);
    expect(effects).toEqual(['prepare', 'start', 'wait', 'stop']);
    expect(run.phase).toBe('running');
  });

  it('killed before it ran is dead without an exit', () => {
    const { types, run } = play([{ ...kill, reasons: [siblingFailed('init')] }]);
    expect(types).toEqual(['Received', 'Sibling Task Failed', 'Killing']);
    expect(run.state).toMatchObject({ State: 'dead', Failed: false, StartedAt: null });
    expect(run.state.FinishedAt).not.toBeNull();
  });

  it('killed between two starts does not start again', () => {
    const { run, effects } = play([
      ...toRunning,
      { type: 'exited', exit: end(1) },
      kill,
      { type: 'backoff-over', generation: 'g2' },
    ]);
    expect(run.phase).toBe('dead');
    expect(effects.filter((effect) => effect === 'prepare')).toHaveLength(1);
  });

  it('waits its shutdown_delay, which a second kill can cut short', () => {
    const slow = { ...rules, shutdownDelayNs: 10e9 };
    expect(play([...toRunning, kill], slow).effects.at(-1)).toBe('delay-shutdown');
    const { effects, run } = play([...toRunning, kill, { ...kill, noShutdownDelay: true } as TaskInput], slow);
    expect(effects.at(-1)).toBe('stop');
    expect(run.kill).toBe('stopping');
  });

  it('restarted by a user runs again at once without a word about the policy', () => {
    const { run, effects } = play([
      ...toRunning,
      { type: 'restart', event: userRestart, gated: false },
      { type: 'exited', exit: end(130) },
    ]);
    expect(effects.slice(-3)).toEqual(['stop', 'destroy', 'back-off']);
    expect(run.state.Events!.at(-1)).toMatchObject({
      DisplayMessage: 'Task restarting in 0s',
      Details: { restart_reason: '', start_delay: '0' },
    });
    expect(run.restarts.count).toBe(0);
  });

  it('dead comes back only with all the others', () => {
    const dead = [...toRunning, kill, { type: 'exited', exit: end(0) }] as const;
    expect(play([...dead, { type: 'restart', event: userRestart, gated: false }]).run.phase).toBe('dead');
    expect(play([...dead, { type: 'restart', event: userRestartAll, gated: true }]).run).toMatchObject({
      phase: 'waiting',
      state: { State: 'pending' },
    });
  });
});

const arbitraryInput: fc.Arbitrary<TaskInput> = fc.oneof(
  fc.constantFrom<TaskInput>(
    { type: 'prepared' },
    { type: 'started', handle: { version: 1 } },
    { type: 'recovered', handle: { version: 1 } },
    { type: 'servers-reached' },
    { type: 'shutdown-delay-over' },
    { type: 'restart', event: userRestart, gated: false },
    { type: 'restart', event: userRestartAll, gated: true },
    { type: 'refuse', event: driverFailure('no') },
  ),
  fc.nat(1e6).map((n): TaskInput => ({ type: 'allow', generation: `a${n}` })),
  fc.nat(1e6).map((n): TaskInput => ({ type: 'backoff-over', generation: `b${n}` })),
  fc.integer({ min: 0, max: 255 }).map((code): TaskInput => ({ type: 'exited', exit: end(code) })),
  fc.boolean().map((recoverable): TaskInput => ({ type: 'not-started', event: driverFailure('no'), recoverable })),
  fc.boolean().map((noShutdownDelay): TaskInput => ({ type: 'kill', reasons: [], noShutdownDelay })),
  fc
    .tuple(fc.boolean(), fc.boolean())
    .map(([started, hold]): TaskInput => ({ type: 'not-recovered', reason: 'lost', started, hold })),
);

const arbitraryRules: fc.Arbitrary<TaskRules> = fc.record({
  policy: fc.record({
    Attempts: fc.nat(3),
    Interval: fc.constantFrom(0, 1e9, 60e9),
    Delay: fc.constantFrom(0, 1e9),
    Mode: fc.constantFrom('fail', 'delay'),
    RenderTemplates: fc.constant(false),
  }),
  restartsOnSuccess: fc.boolean(),
  shutdownDelayNs: fc.constantFrom(0, 1e9),
  killTimeoutNs: fc.constant(5e9),
});

/** The documented edges; staying is always allowed. */
const edges: Readonly<Record<Phase, readonly Phase[]>> = {
  waiting: ['preparing', 'dead'],
  preparing: ['starting', 'backoff', 'dead'],
  starting: ['running', 'backoff', 'dead'],
  running: ['backoff', 'waiting', 'dead'],
  backoff: ['preparing', 'waiting', 'dead'],
  recovering: ['running', 'waiting', 'held', 'backoff', 'dead'],
  held: ['backoff', 'dead'],
  dead: ['waiting'],
};

describe('whatever happens to a task', () => {
  it('it moves along documented edges, counts never go back, and at most one generation runs', () => {
    fc.assert(
      fc.property(
        arbitraryRules,
        fc.array(arbitraryInput, { maxLength: 60 }),
        fc.nat(59),
        (given, inputs, restartAt) => {
          let run: TaskRun = newTaskRun(1_000);
          const alive = new Set<string>();
          inputs.forEach((input, step) => {
            if (step === restartAt) run = resumed(run);
            const before = run;
            const { run: next, effects } = decide(before, input, given, { nowMs: 1_000 + step * 500, random: 0.3 });
            run = next;
            if (before.phase !== next.phase)
              expect(edges[before.phase], `${before.phase} → ${next.phase} by ${input.type}`).toContain(next.phase);
            expect(next.state.Restarts).toBeGreaterThanOrEqual(before.state.Restarts);
            expect(next.state.Events!.length).toBeLessThanOrEqual(10);
            for (const effect of effects) if (effect.do === 'destroy') alive.delete(effect.generation);
            if (effects.some((effect) => effect.do === 'start')) {
              expect([...alive], 'started while an older generation lives').toEqual([]);
              alive.add(next.generation);
            }
            if (input.type === 'not-started' && before.phase === 'starting') alive.delete(before.generation);
            expect((next.phase === 'dead') === (next.state.State === 'dead')).toBe(true);
            expect(next.state.State === 'running' && next.phase !== 'running' && next.phase !== 'recovering').toBe(
              false,
            );
          });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('a kill always ends it, once what is under way is told', () => {
    fc.assert(
      fc.property(arbitraryRules, fc.array(arbitraryInput, { maxLength: 40 }), (given, inputs) => {
        const ending: TaskInput[] = [
          { type: 'kill', reasons: [], noShutdownDelay: true },
          { type: 'started', handle: { version: 1 } },
          { type: 'recovered', handle: { version: 1 } },
          { type: 'exited', exit: end(0) },
        ];
        expect(play([...inputs, ...ending], given).run.phase).toBe('dead');
      }),
      { numRuns: 2_000 },
    );
  });
});
