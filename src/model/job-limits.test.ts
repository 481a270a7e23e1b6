import { describe, expect, it } from 'vitest';
import type { Job } from './job.ts';
import { jobLimits } from './job-limits.ts';
import type { Input } from './schema.ts';

const group = { Name: 'g', Tasks: [{ Name: 't', Driver: 'mock_driver' }] };
const many = <T>(count: number, of: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => of(index));

describe('a job too big to be worked on', () => {
  it.each<[string, Input<Job>, string]>([
    [
      'groups',
      { TaskGroups: many(1001, (i) => ({ ...group, Name: `g${i}` })) },
      'job has 1001 task groups, more than 1000',
    ],
    [
      'tasks',
      { TaskGroups: many(3, () => ({ Name: 'g', Tasks: many(700, (i) => ({ Name: `t${i}` })) })) },
      'job has 2100 tasks, more than 2000',
    ],
    ['constraints', { Constraints: many(501, () => ({})) }, '501 constraints in one place, more than 500'],
    [
      'text to match',
      { TaskGroups: [{ ...group, Affinities: [{ LTarget: 'a'.repeat(10_001) }] }] },
      'a text in affinities is longer than 10000 characters',
    ],
    ['letters in its name', { ID: 'n'.repeat(1001) }, 'Job ID of 1001 characters is too long: at most 1000'],
  ])('is refused for its %s', (_, job, text) => expect(jobLimits({ TaskGroups: [group], ...job })).toEqual([text]));

  it.each(['__proto__', 'constructor', 'toString'])('or a name that every object has: %s', (Name) => {
    const text = [`the name ${JSON.stringify(Name)} is reserved`];
    expect(jobLimits({ TaskGroups: [{ ...group, Name }] })).toEqual(text);
    expect(jobLimits({ TaskGroups: [{ ...group, Tasks: [{ Name }] }] })).toEqual(text);
  });

  it('is not one with as much as can be', () => {
    const job = {
      TaskGroups: many(1000, (i) => ({
        Name: `g${i}`,
        Constraints: many(5, () => ({ LTarget: 'a' })),
        Tasks: many(2, (k) => ({ Name: `t${k}` })),
      })),
    };
    expect(jobLimits(job)).toEqual([]);
  });
});
