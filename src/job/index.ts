// Jobs in TypeScript: `export default job('web', { … })`, run by `drover job run web.job.ts`.
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Diagnostic, formatDiagnostic, tellingDiagnostics } from '../hcl/index.ts';
import { type ParsedJob, parseJob } from '../jobspec/index.ts';
import { Fault } from '../lib/fault.ts';
import { formatJson } from '../lib/json.ts';
import { namesAround } from '../lib/names-around.ts';
import { nodeFunctionHost } from '../lib/node/hcl-functions.ts';
import type { Job } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';
import type { JobBody, TaskBody, TaskGroupBody } from './job-types.ts';

export type { Job } from '../model/job.ts';
export type { Input } from '../model/schema.ts';
export type { Task } from '../model/task.ts';
export type { TaskGroup } from '../model/task-group.ts';
export type * from './job-types.ts';

/**
 * A job as the API takes it, from the blocks and attributes that a job file has, under the same names; labels are keys:
 * `job('web', { group: { api: { count: 2, task: { server: { driver: 'exec', config: { command: '/bin/date' } } } } } })`.
 * Faults: `invalid` with every problem.
 */
export function job(name: string, body: JobBody): Input<Job> {
  return decoded(name, given('job', name, body), 0);
}

/** A task group as the API takes it, to be put into `TaskGroups` of a job. Faults as `job`. */
export function group(name: string, body: TaskGroupBody): Input<TaskGroup> {
  return decoded(name, { group: { [name]: given('group', name, body) } }, 2).TaskGroups![0]!;
}

/** A task as the API takes it, to be put into `Tasks` of a group. Faults as `job`. */
export function task(name: string, body: TaskBody): Input<Task> {
  return decoded(name, { group: { [name]: { task: { [name]: given('task', name, body) } } } }, 4).TaskGroups![0]!
    .Tasks![0]!;
}

export interface FromHclOptions {
  /** Values of the file's variables; what is no text is given as JSON. */
  readonly variables?: { readonly [name: string]: unknown };
}

/**
 * The job of a file in HCL, as the API takes it: `{ ...fromHcl('base.nomad.hcl'), Priority: 80 }`. A path is relative to the working
 * directory; `new URL('base.nomad.hcl', import.meta.url)` stands beside the module. File functions see the file's directory.
 * Faults: `invalid` with every problem; errors of reading the file as Node has them.
 */
export function fromHcl(path: string | URL, options: FromHclOptions = {}): Input<Job> {
  const file = typeof path === 'string' ? path : fileURLToPath(path);
  const flags = Object.entries(options.variables ?? {}).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const parsed = parseJob({
    source: readFileSync(file),
    filename: basename(file),
    variables: { flags },
    host: nodeFunctionHost({ workingDirectory: dirname(file) }),
  });
  return result(parsed, formatDiagnostic);
}

/** Types are not checked at run time: what is called without a body is told so. */
function given<T>(what: string, name: string, body: T): T {
  if (typeof name === 'string' && typeof body === 'object' && body !== null) return body;
  throw new Fault('invalid', `a ${what} is made from its name and what is in it: ${what}('NAME', { … })`);
}

/** `outer`: how many of the names around a problem are not the caller's own. */
function decoded(name: string, body: object, outer: number): Input<Job> {
  const source = formatJson({ job: { [name]: body } }, 1);
  const lines = source.split('\n');
  const host = nodeFunctionHost({ workingDirectory: process.cwd() });
  const told = ({ subject, summary, detail }: Diagnostic) =>
    `${namesAround(lines, subject.startLine).slice(outer).join('.')}: ${summary}; ${detail}`;
  return result(parseJob({ source, filename: `${name}.json`, host }), told);
}

function result({ job, diagnostics }: ParsedJob, told: (problem: Diagnostic) => string): Input<Job> {
  if (job === null) throw new Fault('invalid', tellingDiagnostics(diagnostics).map(told).join('\n'));
  return job;
}
