// The reference pages and the types of TypeScript jobs are what the tables say, and every example in them works.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
// @ts-expect-error: scripts have no types
import { functionExamples, functionPage } from '../../scripts/lib/function-page.mjs';
// @ts-expect-error: scripts have no types
import { aboutBlock, jobBlocks } from '../../scripts/lib/job-blocks.mjs';
// @ts-expect-error: scripts have no types
import { exampleFile, jobPage, nounPaths } from '../../scripts/lib/job-page.mjs';
// @ts-expect-error: scripts have no types
import { jobTypes } from '../../scripts/lib/job-types.mjs';
import * as hcl from '../../src/hcl/index.ts';
import { blockShape, parseJob } from '../../src/jobspec/index.ts';
import { nodeFunctionHost } from '../../src/lib/node/hcl-functions.ts';
import { Job } from '../../src/model/job.ts';
import { notServed } from '../../src/model/not-served.ts';
import type { Noun } from '../../src/model/schema.ts';

interface Entry {
  readonly noun: Noun;
  readonly path: readonly string[];
}
interface Pages {
  nounPaths(shape: typeof blockShape, job: Noun): Entry[];
  exampleFile(entry: Entry): string;
  jobPage(shape: typeof blockShape, job: Noun, warns: (source: string) => readonly string[]): string;
  functionPage(library: typeof hcl, host: hcl.FunctionHost): string;
  jobTypes(shape: typeof blockShape, job: Noun, about: (noun: string) => string): string;
  aboutBlock(noun: string): string;
  readonly jobBlocks: { readonly [noun: string]: readonly [string, string] };
  readonly functionExamples: { readonly [name: string]: string };
}

const root = path.resolve(import.meta.dirname, '../..');
const pages = {
  functionExamples,
  functionPage,
  aboutBlock,
  jobBlocks,
  exampleFile,
  jobPage,
  nounPaths,
  jobTypes,
} as Pages;
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
const host = nodeFunctionHost({ workingDirectory: path.join(root, 'examples') });
const warns = (source: string): readonly string[] =>
  notServed(parseJob({ source, filename: 'example.nomad.hcl' }).job!);

describe('the reference', () => {
  const entries = pages.nounPaths(blockShape, Job);

  it('knows every block of the job file, and no other', () => {
    expect(entries.map(({ noun }) => noun.name).sort()).toEqual(Object.keys(pages.jobBlocks).sort());
  });

  it.each(entries.map((entry) => [entry.path.join('.'), entry] as const))(
    'has an example of %s that parses',
    (_, entry) => {
      const { job, diagnostics } = parseJob({ source: pages.exampleFile(entry), filename: 'example.nomad.hcl' });
      expect(diagnostics.map(hcl.formatDiagnostic)).toEqual([]);
      expect(job).not.toBe(null);
    },
  );

  it('has an example of every function', () => {
    expect(Object.keys(pages.functionExamples).sort()).toEqual([...hcl.standardFunctions({}).keys()].sort());
  });

  it.each([
    ['docs/reference/job-specification.md', () => pages.jobPage(blockShape, Job, warns)],
    ['docs/reference/functions.md', () => pages.functionPage(hcl, host)],
    ['src/job/job-types.ts', () => pages.jobTypes(blockShape, Job, pages.aboutBlock)],
  ])('%s is up to date (node scripts/reference.mjs)', (name, make) => {
    expect(read(name)).toBe(make());
  });
});
