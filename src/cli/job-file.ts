/** A job from what the command line names: a file, a URL, or standard input; as HCL (parsed here) or as API JSON. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseJson } from '../lib/json.ts';
import type { Job } from '../model/job.ts';
import type { JobSubmission } from '../model/job-submission.ts';
import type { Input } from '../model/schema.ts';
import { type Call, CommandError } from './command.ts';
import type { FlagTable } from './flags.ts';

export interface JobFile {
  readonly job: Input<Job>;
  /** The source as it is sent along; none for API JSON without one. */
  readonly submission: Input<JobSubmission> | null;
  readonly warnings: readonly string[];
}

export const jobFileFlags: FlagTable = {
  json: {
    kind: 'bool',
    help: 'The file is a job in the API\'s JSON, bare or as {"Job": …}; variables cannot be given with it.',
  },
  'hcl2-strict': { kind: 'bool', help: 'Refuse values for variables that the file does not declare. Default true.' },
  var: {
    kind: 'strings',
    value: '<name>=<value>',
    help: 'Sets an input variable; may be repeated, and wins over files and NOMAD_VAR_* variables.',
  },
  'var-file': {
    kind: 'strings',
    value: '<path>',
    help: 'A file of input variables (HCL or JSON); may be repeated, later ones win.',
  },
};

const maximumBytes = 64 * 1024 * 1024;

export async function readJobFile(call: Call, path: string): Promise<JobFile> {
  const { flags } = call;
  const variables = flags.strings('var');
  const files = flags.strings('var-file');
  if (flags.bool('json') && (variables.length > 0 || files.length > 0))
    throw new CommandError('Error: -var and -var-file cannot be used with -json: API jobs have no variables');
  const { isJobModule, jobFromModule } = await import('./job-module.ts');
  if (isJobModule(path)) return jobFromModule(path);
  const source = await readSource(path);
  if (flags.bool('json')) return fromJson(source, path);
  const { parseLocally } = await import('./job-parse.ts');
  return parseLocally(call, source, path, { variables, files });
}

function fromJson(source: string, path: string): JobFile {
  const parsed = parseJson(source) as { Job?: Input<Job>; Submission?: Input<JobSubmission> } & Input<Job>;
  const job = parsed !== null && typeof parsed === 'object' && parsed.Job != null ? parsed.Job : (parsed as Input<Job>);
  if (job === null || typeof job !== 'object' || job.ID == null)
    throw new CommandError(`Error getting job struct: Error parsing job file from ${path}: no job with an ID in it`);
  return { job, submission: parsed.Submission ?? { Source: source, Format: 'json' }, warnings: [] };
}

async function readSource(path: string): Promise<string> {
  try {
    if (path === '-') return readFileSync(0, 'utf8');
    if (/^https?:\/\//.test(path)) return await download(path);
    return readFileSync(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? `stat ${resolve(path)}: no such file or directory` : (error as Error).message;
    throw new CommandError(
      `Error getting job struct: Error getting jobfile from "${path}": source path error: ${reason}`,
    );
  }
}

async function download(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
  const text = await response.text();
  if (text.length > maximumBytes) throw new Error(`${url} is larger than ${maximumBytes} bytes`);
  return text;
}
