// Recorded job files: what they parse to, where their problems are, and what a server keeps of them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../src/hcl/index.ts';
import { type ParsedJob, parseJob } from '../../src/jobspec/index.ts';
import type { Json } from '../../src/lib/json.ts';
import { parseJson } from '../../src/lib/json.ts';
import { nodeFunctionHost } from '../../src/lib/node/hcl-functions.ts';
import { canonicalJob } from '../../src/model/canonical.ts';
import { decode } from '../../src/model/decode.ts';
import { Job } from '../../src/model/job.ts';
import { formatErrors, validateJob } from '../../src/model/job-validate.ts';

const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(import.meta.dirname, '../../../shared/goldens');
const folders = { jobs: path.join(goldens, 'jobs'), invalid: path.join(goldens, 'jobs-invalid') };
const expected = JSON.parse(readFileSync(path.join(import.meta.dirname, 'expected-jobs.json'), 'utf8')) as Record<
  string,
  string
>;
const present = existsSync(folders.jobs);

const lines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []);
const namesIn = (folder: string) =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.nomad.hcl'))
    .map((file) => file.slice(0, -10))
    .sort();
const readJob = (file: string) => (parseJson(readFileSync(file, 'utf8')) as { [key: string]: Json })['Job']!;

/** Parses a recorded file with its flags and environment, like the command line does. */
function parseRecorded(folder: string, name: string): ParsedJob {
  const flags: string[] = [];
  const files: { name: string; source: Uint8Array }[] = [];
  const args = lines(path.join(folder, `${name}.args`));
  const strict = !args.includes('-hcl2-strict=false');
  for (const [index, arg] of args.entries()) {
    if (arg === '-var') flags.push(args[index + 1]!);
    const file = /^-var-file=(.*)/.exec(arg)?.[1];
    if (file !== undefined) files.push({ name: file, source: readFileSync(path.join(folder, file)) });
  }
  const env = Object.fromEntries(
    lines(path.join(folder, `${name}.env`)).map((line) => /^([^=]*)=(.*)$/.exec(line)!.slice(1)),
  );
  return parseJob({
    source: readFileSync(path.join(folder, `${name}.nomad.hcl`)),
    filename: `${name}.nomad.hcl`,
    variables: { flags, files, env },
    strict,
    host: nodeFunctionHost({ workingDirectory: folder }),
  });
}

/** The first difference of two JSON values; null and absent are one, integers of any size are compared exactly. */
function difference(want: unknown, got: unknown, place = ''): string | undefined {
  const [a, b] = [want ?? null, got ?? null];
  if (a === b) return undefined;
  if (
    a !== null &&
    b !== null &&
    typeof a === 'object' &&
    typeof b === 'object' &&
    Array.isArray(a) === Array.isArray(b)
  ) {
    const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      const found = difference(left[key], right[key], `${place}/${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return `${place || '/'}: want ${show(a)}, got ${show(b)}`;
}

const show = (value: unknown) =>
  JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}n` : each))?.slice(0, 160);

/** Runs one comparison per name, prints the count, and fails for differences that nobody wants (or that are wanted and gone). */
function compareAll(mode: string, names: readonly string[], compare: (name: string) => string | undefined): void {
  const different = names.flatMap((name) => {
    const found = compare(name);
    return found === undefined ? [] : [[`${mode}/${name}`, found] as const];
  });
  const wanted = Object.keys(expected).filter((key) => key.startsWith(`${mode}/`));
  const unwanted = different.filter(([key]) => !wanted.includes(key));
  const gone = wanted.filter((key) => !different.some(([other]) => other === key));
  console.log(
    `${mode}: ${names.length - different.length}/${names.length} match, ${different.length - unwanted.length} differ as expected`,
  );
  expect({ unwanted, gone }).toEqual({ unwanted: [], gone: [] });
}

function compareParsed(name: string): string | undefined {
  const { job, diagnostics } = parseRecorded(folders.jobs, name);
  if (job === null) return diagnostics.map(formatDiagnostic).join('; ');
  return difference(readJob(path.join(folders.jobs, `${name}.json`)), job);
}

interface RecordedProblem {
  readonly file: string | null;
  readonly severity: string;
  readonly line: number;
  readonly col: number;
  readonly endLine: number;
  readonly endCol: number;
}

function compareProblems(name: string): string | undefined {
  const recorded = JSON.parse(readFileSync(path.join(folders.invalid, `${name}.diag.json`), 'utf8')) as {
    diagnostics: readonly RecordedProblem[];
  };
  const { job, diagnostics } = parseRecorded(folders.invalid, name);
  const got = diagnostics.map(
    ({ severity, subject: at }) =>
      `${severity} ${at.filename} ${at.startLine},${at.startColumn}-${at.endLine},${at.endColumn}`,
  );
  const want = recorded.diagnostics
    .filter(({ file }) => file !== null)
    .map((at) => `${at.severity} ${at.file} ${at.line},${at.col}-${at.endLine},${at.endCol}`);
  if (job !== null) return 'accepted';
  if (diagnostics.some(({ summary, detail }) => summary === '' || detail === '')) return 'an empty message';
  // Some were recorded without a place. Here each has one.
  const left = [...got];
  for (const place of want) if (left.includes(place)) left.splice(left.indexOf(place), 1);
  const withoutPlace = recorded.diagnostics.length - want.length;
  return got.length === recorded.diagnostics.length && left.length === withoutPlace
    ? undefined
    : `want ${want.join(' | ')} and ${withoutPlace} without a place, got ${got.join(' | ')}`;
}

interface Recorded {
  readonly job?: Json;
  readonly refused?: string;
  readonly environment?: boolean;
  readonly problems?: number;
  readonly warnings?: number;
}

const agent = {
  region: 'global',
  namespace: 'default',
  vaultIdentity: { audience: ['vault.io'], ttl: 3_600_000_000_000 },
};

function compareRegistered(name: string): string | undefined {
  const recorded = parseJson(
    readFileSync(path.join(folders.jobs, `${name}.registered.json`), 'utf8'),
  ) as unknown as Recorded;
  if (recorded.environment) return undefined;
  const { value, problems } = decode(Job, readJob(path.join(folders.jobs, `${name}.json`)), 'Job');
  if (problems.length > 0) return problems[0]!.message;
  const job = canonicalJob(value, agent);
  const again = difference(job, canonicalJob(job, agent));
  if (again !== undefined) return `the canonical form changes when it is taken twice: ${again}`;
  const { errors, warnings } = validateJob(job);
  if (recorded.refused !== undefined) {
    const points = errors.length === 0 ? 0 : formatErrors(errors).split('\t* ').length - 1;
    if (points === 0) return 'accepted';
    return recorded.problems === points
      ? undefined
      : `want ${recorded.problems} problems, got ${points}: ${errors.join('')}`;
  }
  if (errors.length > 0) return `refused: ${errors.join('')}`;
  if (warnings.length !== recorded.warnings)
    return `want ${recorded.warnings} warnings, got ${warnings.join('; ') || 'none'}`;
  return difference(recorded.job, { ...job, Status: '', StatusDescription: '' });
}

describe.skipIf(!present)(`recorded job files (${present ? goldens : `skipped: no ${goldens}`})`, () => {
  it('parse to the same JSON', () => compareAll('jobs', namesIn(folders.jobs), compareParsed));
  it('have problems at the same places', () => compareAll('invalid', namesIn(folders.invalid), compareProblems));
  it('are kept, warned about or refused alike', () =>
    compareAll('registered', namesIn(folders.jobs), compareRegistered));
});
