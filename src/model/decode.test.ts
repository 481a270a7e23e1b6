import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJson, type Json, parseJson } from '../lib/json.ts';
import { decode } from './decode.ts';
import { Job } from './job.ts';

describe('decoding a job', () => {
  it('matches keys exactly, else without regard to case', () => {
    expect(decode(Job, { id: 'lower', NAME: 'upper', taskgroups: [{ nAmE: 'g' }] }).value).toEqual({
      ID: 'lower',
      Name: 'upper',
      TaskGroups: [{ Name: 'g' }],
    });
    expect(decode(Job, { ID: 'a', id: 'b' }).value).toEqual({ ID: 'b' });
  });

  it('ignores unknown keys and treats null as absent', () => {
    expect(decode(Job, { ID: 'a', Colour: 1, Type: null, constructor: {}, __proto__: {} } as Json)).toEqual({
      value: { ID: 'a' },
      problems: [],
    });
  });

  it('names a wrong kind with its path, as Go does', () => {
    expect(decode(Job, { ID: 5 }, 'Job').problems).toEqual([
      { path: 'Job.ID', message: 'json: cannot unmarshal number into Go struct field Job.Job.ID of type string' },
    ]);
    const nested = decode(Job, { TaskGroups: [{ Count: 'x', Tasks: [{ Env: { A: 1 } }] }] }, 'Job');
    expect(nested.problems.map(({ path }) => path)).toEqual(['Job.TaskGroups.Count', 'Job.TaskGroups.Tasks.Env']);
  });

  it('refuses texts for durations, fractions, and numbers that do not fit', () => {
    const problems = (json: Json) => decode(Job, json).problems.length;
    expect(problems({ TaskGroups: [{ Tasks: [{ KillTimeout: '5s' }] }] })).toBe(1);
    expect(problems({ TaskGroups: [{ Tasks: [{ KillTimeout: 5_000_000_000 }] }] })).toBe(0);
    expect(problems({ Priority: 1.5 })).toBe(1);
    expect(problems({ Affinities: [{ Weight: 300 }] })).toBe(1);
    expect(problems({ Version: -1 })).toBe(1);
    expect(problems(parseJson('{"Priority": 12345678901234567890}'))).toBe(1);
  });

  it('keeps integers of any size inside a free-form map', () => {
    const { value } = decode(Job, parseJson('{"TaskGroups":[{"Tasks":[{"Config":{"n":12345678901234567890}}]}]}'));
    expect(formatJson(value)).toContain('12345678901234567890');
  });

  it('never throws, whatever the JSON', () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), (json) => void decode(Job, json as Json, 'Job')));
  });
});

it('instants in nanoseconds, as a job read from the API carries them, are taken as the nearest number', () => {
  const { value, problems } = decode(Job, parseJson('{"ID":"a","SubmitTime":1700000000123456789}'));
  expect([value.SubmitTime, problems]).toEqual([1_700_000_000_123_456_800, []]);
  expect(decode(Job, parseJson('{"SubmitTime":17000000001234567890}')).problems).toHaveLength(1);
});
