import { describe, expect, it } from 'vitest';
import { formatInstant } from '../../lib/instant.ts';
import type { Allocation } from '../../model/allocation.ts';
import type { ReschedulePolicy } from '../../model/reschedule-policy.ts';
import { nextDelay, rescheduleOf, trackerAfter } from './reschedule.ts';

const second = 1e9;
const start = 1_700_000_000 * second;
const policy: ReschedulePolicy = {
  Attempts: 0,
  Interval: 0,
  Delay: 5 * second,
  DelayFunction: 'exponential',
  MaxDelay: 60 * second,
  Unlimited: true,
};

function failed(
  at: number,
  events: readonly { readonly Delay: number; readonly RescheduleTime: number }[] = [],
): Allocation {
  return {
    ID: 'a',
    NodeID: 'n',
    ClientStatus: 'failed',
    DesiredStatus: 'run',
    DesiredTransition: {},
    TaskStates: { t: { FinishedAt: formatInstant(at) } },
    FollowupEvalID: '',
    DeploymentID: '',
    RescheduleTracker: {
      Events: events.map((event) => ({ ...event, PrevAllocID: 'p', PrevNodeID: 'm' })),
      LastReschedule: 'ok',
    },
  } as unknown as Allocation;
}

/** The delays in seconds of allocations that fail as soon as they are tried. */
function delays(given: ReschedulePolicy, count: number): readonly number[] {
  let events: { Delay: number; RescheduleTime: number }[] = [];
  let now = start;
  return Array.from({ length: count }, () => {
    const allocation = failed(now, events);
    const delay = nextDelay(allocation, given);
    now += delay;
    events = [...trackerAfter(allocation, given, now).Events!];
    return delay / second;
  });
}

describe('the delay before the next attempt', () => {
  it('stays, doubles, or grows as Fibonacci’s numbers, up to its ceiling', () => {
    expect(delays({ ...policy, DelayFunction: 'constant' }, 4)).toEqual([5, 5, 5, 5]);
    expect(delays(policy, 6)).toEqual([5, 10, 20, 40, 60, 60]);
    expect(delays({ ...policy, DelayFunction: 'fibonacci' }, 8)).toEqual([5, 5, 10, 15, 25, 40, 60, 60]);
  });

  it('begins anew once an allocation ran for longer than that', () => {
    const events = [{ Delay: 20 * second, RescheduleTime: start }];
    expect(nextDelay(failed(start + 30 * second, events), policy)).toBe(40 * second);
    expect(nextDelay(failed(start + 50 * second, events), policy)).toBe(5 * second);
  });
});

describe('a failed allocation', () => {
  const scope = { now: start, evaluationId: 'e', deployment: null, isAwaited: () => false };
  const limited = { ...policy, Unlimited: false, Attempts: 2, Interval: 100 * second, DelayFunction: 'constant' };
  const tried = (...secondsAgo: readonly number[]) =>
    failed(
      start,
      secondsAgo.map((ago) => ({ Delay: 5 * second, RescheduleTime: start - ago * second })),
    );

  it('is tried as often as its policy says, within its interval', () => {
    expect(rescheduleOf(tried(), limited, scope)).toEqual({ when: 'later', at: start + 5 * second });
    expect(rescheduleOf(tried(20), limited, scope).when).toBe('later');
    expect(rescheduleOf(tried(50, 20), limited, scope).when).toBe('never');
    expect(rescheduleOf(tried(150, 20), limited, scope).when).toBe('later');
    expect(rescheduleOf(tried(50, 20), { ...limited, Attempts: 0 }, scope).when).toBe('never');
    expect(rescheduleOf(tried(), null, scope).when).toBe('never');
  });

  it('is tried now where its time has come, or an evaluation came for it', () => {
    expect(rescheduleOf(tried(), limited, { ...scope, now: start + 4.5 * second }).when).toBe('now');
    expect(rescheduleOf({ ...tried(), FollowupEvalID: 'e' }, limited, scope).when).toBe('now');
    expect(rescheduleOf({ ...tried(), FollowupEvalID: 'x' }, limited, { ...scope, isAwaited: () => true }).when).toBe(
      'never',
    );
  });

  it('remembers the attempts that still count', () => {
    const events = (allocation: Allocation, given: ReschedulePolicy) =>
      trackerAfter(allocation, given, start).Events!.length;
    expect(events(tried(150, 20), limited)).toBe(2);
    expect(events(tried(9, 8, 7, 6, 5, 4, 3), policy)).toBe(5);
  });
});
