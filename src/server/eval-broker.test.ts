import { describe, expect, it } from 'vitest';
import { formatInstant } from '../lib/instant.ts';
import { Evaluation } from '../model/evaluation.ts';
import { fill } from '../model/fill.ts';
import type { Input } from '../model/schema.ts';
import { EvalBroker } from './eval-broker.ts';
import { ManualClock, settle } from './manual-clock.ts';

let created = 0;
const evaluation = (ID: string, more: Input<Evaluation> = {}): Evaluation =>
  fill(Evaluation, {
    ID,
    Namespace: 'default',
    JobID: `job-of-${ID}`,
    Priority: 50,
    CreateIndex: ++created,
    Status: 'pending',
    ...more,
  });

function broker() {
  const clock = new ManualClock();
  const superseded: string[] = [];
  const givenUp: string[] = [];
  const one = new EvalBroker({
    clock,
    deliveryLimit: 2,
    superseded: (evaluations) => superseded.push(...evaluations.map(({ ID }) => ID)),
    givenUp: ({ ID }) => givenUp.push(ID),
  });
  return { broker: one, clock, superseded, givenUp };
}

const take = async (from: EvalBroker): Promise<string | undefined> => (await from.take())?.evaluation.ID;

describe('the evaluation broker', () => {
  it('gives out the highest priority first, and of equal ones the oldest', async () => {
    const { broker: one } = broker();
    one.add(evaluation('a'));
    one.add(evaluation('b', { Priority: 90 }));
    one.add(evaluation('c', { Priority: 90 }));
    expect([await take(one), await take(one), await take(one)]).toEqual(['b', 'c', 'a']);
  });

  it('has one evaluation of a job in work at a time, and passes over all but the newest of those behind', async () => {
    const { broker: one, superseded } = broker();
    for (const id of ['a', 'b', 'c', 'd']) one.add(evaluation(id, { JobID: 'same' }));
    one.add(evaluation('other'));
    expect([await take(one), await take(one)]).toEqual(['a', 'other']);
    const next = take(one);
    await settle();
    one.done('a', 1);
    expect(await next).toBe('d');
    expect(superseded.sort()).toEqual(['b', 'c']);
  });

  it('waits until an evaluation’s time has come', async () => {
    const { broker: one, clock } = broker();
    one.add(evaluation('later', { WaitUntil: formatInstant(clock.now() + 60e9) }));
    let taken: string | undefined;
    void take(one).then((id) => {
      taken = id;
    });
    await clock.advance(59_000);
    expect(taken).toBeUndefined();
    await clock.advance(1_000);
    expect(taken).toBe('later');
  });

  it('gives out again what failed or took too long, and gives it up in the end', async () => {
    const { broker: one, clock, givenUp } = broker();
    one.add(evaluation('a'));
    expect(await one.take()).toMatchObject({ delivery: 1 });
    one.failed('a', 1);
    await clock.advance(1_000);
    expect(await one.take()).toMatchObject({ delivery: 2 });
    await clock.advance(60_000);
    expect(givenUp).toEqual(['a']);
    // A worker that comes back after its time has nothing to say.
    one.done('a', 2);
    expect(one.counts).toEqual({ ready: 0, inWork: 0, waiting: 0 });
  });

  it('works again on an evaluation that changed while it was in work', async () => {
    const { broker: one } = broker();
    one.add(evaluation('a', { Status: 'blocked' }));
    await take(one);
    one.add(evaluation('a', { Status: 'blocked' }));
    one.done('a', 1);
    expect(await take(one)).toBe('a');
  });

  it('forgets what was removed and lets the next of the job go on', async () => {
    const { broker: one } = broker();
    const [first, second] = [evaluation('a', { JobID: 'same' }), evaluation('b', { JobID: 'same' })];
    one.add(first);
    one.add(second);
    one.remove(first);
    expect(await take(one)).toBe('b');
  });

  it('gives out nothing while paused, and ends those who wait when closed', async () => {
    const { broker: one } = broker();
    one.pause(true);
    one.add(evaluation('a'));
    let taken: string | null | undefined;
    void one.take().then((assignment) => {
      taken = assignment?.evaluation.ID ?? null;
    });
    await settle();
    expect(taken).toBeUndefined();
    one.pause(false);
    await settle();
    expect(taken).toBe('a');
    const waiting = one.take();
    one.close();
    expect(await waiting).toBeNull();
  });
});
