// Properties that hold for every job the field tables describe.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../lib/json.ts';
import { canonicalJob } from './canonical.ts';
import { decode, integerRanges } from './decode.ts';
import { deepEqual } from './deep-equal.ts';
import { Job } from './job.ts';
import { specChanged, tasksUpdated } from './job-changes.ts';
import { diffJobs } from './job-diff-make.ts';
import { validateJob } from './job-validate.ts';
import { notServed } from './not-served.ts';
import type { Field, Noun } from './schema.ts';

const agent = { region: 'global', namespace: 'default' };

/** JSON that a caller may send for a noun: any field, or none, or null. */
function jsonFor(noun: Noun): fc.Arbitrary<unknown> {
  const fields = Object.entries(noun.fields).map(([name, field]) => [name, fc.option(valueFor(field), { freq: 2 })]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

const words = fc.constantFrom('', 'a', 'b', 'web', '${attr.x}', 'batch', 'system', 'nomad', 'signal', 'bridge', 'http');

function valueFor(field: Field<unknown>): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'string':
      return words;
    case 'bytes':
      return fc.constantFrom('', 'YWJj');
    case 'time':
      return fc.constant('2020-01-01T00:00:00Z');
    case 'bool':
      return fc.boolean();
    case 'float':
      return fc.double({ noNaN: true });
    case 'int':
      return fc.integer({ min: Math.max(integerRanges[field.bits ?? 'int'][0], -3), max: 100 });
    case 'duration':
      return fc.integer({ min: -1, max: 2_000_000_000 });
    case 'any':
      return fc.jsonValue({ maxDepth: 2 });
    case 'list':
      return fc.array(valueFor(field.item!), { maxLength: 2 });
    case 'map':
      return fc.dictionary(words, valueFor(field.item!), { maxKeys: 2 });
    case 'object':
      return fc.memo(() => jsonFor(field.noun!))();
  }
}

const jobs = jsonFor(Job).map((json) => decode(Job, json as Json));
const small = { numRuns: 60 };

describe('every job that the tables describe', () => {
  it('decodes without a problem', () => {
    fc.assert(
      fc.property(jobs, ({ problems }) => {
        expect(problems).toEqual([]);
      }),
      small,
    );
  });

  it('has one canonical form: taking it twice changes nothing', () => {
    fc.assert(
      fc.property(jobs, ({ value }) => {
        const job = canonicalJob(value, agent);
        expect(canonicalJob(job, agent)).toEqual(job);
        expect(specChanged(job, canonicalJob(job, agent))).toBe(false);
      }),
      small,
    );
  });

  it('has in its canonical form exactly the keys of the tables', () => {
    const optional = new Set(['Isolation']);
    const always = Object.entries(Job.fields)
      .filter(([, field]) => !field.omitted)
      .map(([name]) => name);
    fc.assert(
      fc.property(jobs, ({ value }) => {
        const keys = Object.keys(canonicalJob(value, agent)).filter((name) => !optional.has(name));
        expect(keys.sort()).toEqual([...always].sort());
      }),
      small,
    );
  });

  it('is validated, and said what is not served, without an exception or an empty sentence', () => {
    fc.assert(
      fc.property(jobs, ({ value }) => {
        const job = canonicalJob(value, agent);
        const { errors, warnings } = validateJob(job);
        for (const text of [...errors, ...warnings, ...notServed(job)]) expect(text).not.toBe('');
      }),
      small,
    );
  });

  it('differs from another exactly where the differences say so', () => {
    fc.assert(
      fc.property(jobs, jobs, (a, b) => {
        const [before, after] = [canonicalJob(a.value, agent), canonicalJob(b.value, agent)];
        expect(diffJobs(before, before, true).Type).toBe('None');
        const diff = diffJobs(before, { ...after, ID: before.ID }, false);
        if (deepEqual(before, { ...after, ID: before.ID })) expect(diff.Type).toBe('None');
        for (const group of before.TaskGroups) tasksUpdated(before, after, group.Name);
      }),
      small,
    );
  });
});
