import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { healthOf, type WatchedTask } from './alloc-health.ts';
import { allowed, clientStatus, downfall, killWaves, type Member, type Role } from './lifecycle.ts';
import { afterEnd, noRestarts, restartsOnSuccess } from './restart-tracker.ts';

const member = (name: string, role: Role, state: Member['state'], more: Partial<Member> = {}): WatchedTask => ({
  name,
  role,
  state,
  leader: false,
  failed: false,
  neverStarted: state === 'pending',
  runningSinceMs: state === 'running' ? 1_000 : 0,
  ...more,
});

describe('the order of tasks', () => {
  it('holds main back until each prestart task is done and each sidecar runs', () => {
    const side = (state: Member['state']) => member('side', 'prestart-sidecar', state);
    const main = member('main', 'main', 'pending');
    expect(allowed([member('init', 'prestart', 'running'), side('running'), main], false)).toEqual([]);
    expect(allowed([member('init', 'prestart', 'dead'), side('pending'), main], false)).toEqual(['side']);
    expect(allowed([member('init', 'prestart', 'dead'), side('running'), main], false)).toEqual(['main']);
    expect(allowed([member('init', 'prestart', 'dead', { failed: true }), side('running'), main], false)).toEqual([]);
  });

  it('begins poststop tasks when all others are dead, however they died', () => {
    const bye = member('bye', 'poststop', 'pending');
    expect(allowed([member('main', 'main', 'running'), bye], true)).toEqual([]);
    expect(allowed([member('main', 'main', 'dead', { failed: true }), bye], true)).toEqual(['bye']);
  });

  it('ends followers with their leader, sidecars with their mains, everybody with a failed one', () => {
    const sleeper = member('sleeper', 'main', 'running');
    expect(downfall([member('lead', 'main', 'dead', { leader: true }), sleeper])?.event.Type).toBe('Leader Task Dead');
    expect(downfall([member('bad', 'main', 'dead', { failed: true }), sleeper])?.event.FailedSibling).toBe('bad');
    expect(downfall([member('done', 'main', 'dead'), member('side', 'prestart-sidecar', 'running')])?.event.Type).toBe(
      'Main Tasks Dead',
    );
    expect(downfall([member('done', 'main', 'dead'), sleeper])).toBeNull();
    expect(
      downfall([
        member('init', 'prestart', 'dead'),
        member('side', 'prestart-sidecar', 'running'),
        member('main', 'main', 'pending'),
      ]),
    ).toBeNull();
  });

  it('kills the leader first and sidecars last', () => {
    const group = [
      member('a', 'main', 'running'),
      member('lead', 'main', 'running', { leader: true }),
      member('s', 'prestart-sidecar', 'running'),
    ];
    expect(killWaves([...group, member('bye', 'poststop', 'pending')])).toEqual([['lead'], ['a'], ['s']]);
  });

  it('is terminal for the servers only when every task is dead', () => {
    const states = fc.constantFrom<Member['state']>('pending', 'running', 'dead');
    fc.assert(
      fc.property(fc.array(fc.tuple(states, fc.boolean()), { minLength: 1, maxLength: 5 }), (given) => {
        const members = given.map(([state, failed], n) =>
          member(`t${n}`, 'main', state, { failed: failed && state === 'dead' }),
        );
        const { status } = clientStatus(members);
        const terminal = status === 'complete' || status === 'failed';
        expect(terminal).toBe(members.every((task) => task.state === 'dead'));
        if (terminal) expect(status === 'failed').toBe(members.some((task) => task.failed));
      }),
    );
  });
});

describe("an allocation's health", () => {
  const rules = { minHealthyNs: 10e9, deadlineNs: 60e9 };
  const running = member('t', 'main', 'running');

  it('is good when its tasks ran long enough', () => {
    expect(healthOf([running], rules, 0, 5_000)).toEqual({ state: 'undecided', lookAgainMs: 6_000 });
    expect(healthOf([running], rules, 0, 11_000)).toEqual({ state: 'healthy' });
    expect(
      healthOf([running, member('init', 'prestart', 'dead'), member('bye', 'poststop', 'pending')], rules, 0, 11_000)
        .state,
    ).toBe('healthy');
  });

  it('is bad with a failed or ended task and past the deadline', () => {
    const events = (health: ReturnType<typeof healthOf>) => (health.state === 'unhealthy' ? health.events : []);
    expect(events(healthOf([member('t', 'main', 'dead', { failed: true })], rules, 0, 1))).toEqual([
      ['t', 'Unhealthy because of failed task'],
    ]);
    expect(events(healthOf([member('t', 'main', 'dead')], rules, 0, 1))).toEqual([
      ['t', 'Unhealthy because of dead task'],
    ]);
    expect(events(healthOf([member('t', 'main', 'pending')], rules, 0, 60_000))).toEqual([
      ['t', 'Task not running for min_healthy_time of 10s by healthy_deadline of 1m0s'],
    ]);
  });
});

describe('a restart policy', () => {
  const policy = { Attempts: 2, Interval: 10e9, Delay: 4e9, Mode: 'fail', RenderTemplates: false };
  const failed = { kind: 'exited', exit: { exitCode: 1, signal: 0, oomKilled: false } } as const;

  it('delays with a jitter of at most a quarter, and counts anew in a new interval', () => {
    const first = afterEnd(failed, policy, true, noRestarts, 1_000, 0);
    expect(first).toMatchObject({ verdict: 'restart', reason: 'Restart within policy', delayMs: 4_000 });
    const second = afterEnd(failed, policy, true, first.history, 2_000, 0.999);
    expect(second.delayMs).toBeLessThanOrEqual(5_000);
    expect(afterEnd(failed, policy, true, second.history, 3_000, 0)).toMatchObject({ verdict: 'fail' });
    expect(afterEnd(failed, policy, true, second.history, 12_000, 0)).toMatchObject({
      verdict: 'restart',
      history: { count: 1 },
    });
  });

  it('waits to the end of the interval in delay mode', () => {
    const over = afterEnd(
      failed,
      { ...policy, Attempts: 1, Mode: 'delay' },
      true,
      { count: 1, intervalStartMs: 1_000 },
      4_000,
      0,
    );
    expect(over).toMatchObject({
      verdict: 'restart',
      reason: 'Exceeded allowed attempts, applying a delay',
      delayMs: 7_000,
    });
  });

  it('takes an unknown end as a failure, and a recoverable start error as one too', () => {
    const unknown = {
      kind: 'exited',
      exit: { exitCode: 0, signal: 0, oomKilled: false, unknown: 'shim-lost' },
    } as const;
    expect(afterEnd(unknown, policy, false, noRestarts, 1, 0).verdict).toBe('restart');
    expect(afterEnd({ kind: 'not-started', recoverable: true }, policy, false, noRestarts, 1, 0).verdict).toBe(
      'restart',
    );
    expect(afterEnd({ kind: 'not-started', recoverable: false }, policy, false, noRestarts, 1, 0).reason).toBe(
      'Error was unrecoverable',
    );
  });

  it('lets batch tasks and one-shot hooks end in success', () => {
    expect(restartsOnSuccess('service', null)).toBe(true);
    expect(restartsOnSuccess('batch', null)).toBe(false);
    expect(restartsOnSuccess('service', { Hook: 'prestart', Sidecar: false })).toBe(false);
    expect(restartsOnSuccess('batch', { Hook: 'prestart', Sidecar: true })).toBe(true);
    expect(restartsOnSuccess('service', { Hook: 'poststop', Sidecar: false })).toBe(false);
  });
});
