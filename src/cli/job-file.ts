/** A job from what the command line names: a file, a URL, or standard input; as HCL (parsed here) or as API JSON. */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { messageOf } from '../lib/fault.ts';
import { type Json, parseJson } from '../lib/json.ts';
import { utf8Text } from '../lib/utf8-text.ts';
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
  /** Of a module: where it exports the job. */
  readonly exportedAt?: string;
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
  const source = await readSource(path);
  const { isJobModule, jobFromModule } = await import('./job-module.ts');
  if (isJobModule(path)) return jobFromModule(path, source);
  if (flags.bool('json')) return fromJson(call, source, path);
  const { parseLocally } = await import('./job-parse.ts');
  return parseLocally(call, source, path, { variables, files });
}

async function fromJson({ terminal }: Call, bytes: Uint8Array, path: string): Promise<JobFile> {
  const [source, json] = parsedJson(bytes, path);
  const parsed = json as { Job?: Input<Job>; Submission?: Input<JobSubmission> } & Input<Job>;
  const job = parsed !== null && typeof parsed === 'object' && parsed.Job != null ? parsed.Job : (parsed as Input<Job>);
  if (job === null || typeof job !== 'object' || job.ID == null)
    throw new CommandError(
      `Error getting job struct: Error parsing job file from ${path}: line 1, column 1: no job with an ID in it; a job is written {"Job": {"ID": "web", …}}, or without the outer braces`,
    );
  const { checkJobJson } = await import('../jobspec/index.ts');
  const { diagnosticTexts } = await import('./diagnostics.ts');
  const found = checkJobJson(source, path === '-' ? '-' : basename(path));
  const of = (severity: 'error' | 'warning') =>
    diagnosticTexts(
      terminal,
      found.filter((item) => item.severity === severity),
    );
  const errors = of('error');
  if (errors.length > 0)
    throw new CommandError(`Error getting job struct: Error parsing job file from ${path}:\n${errors.join('\n')}`);
  return { job, submission: parsed.Submission ?? { Source: source, Format: 'json' }, warnings: of('warning') };
}

function parsedJson(bytes: Uint8Array, path: string): readonly [text: string, json: Json] {
  try {
    const text = utf8Text(bytes);
    return [text, parseJson(text)];
  } catch (error) {
    throw new CommandError(`Error getting job struct: Error parsing job file from ${path}: ${messageOf(error)}`);
  }
}

/** Bytes: what is no UTF-8 has to be told so, at its place. */
async function readSource(path: string): Promise<Buffer> {
  try {
    if (path === '-') return readFileSync(0);
    if (/^https?:\/\//.test(path)) return await download(path);
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const missing = code === 'ENOENT' ? `stat ${resolve(path)}: no such file or directory` : undefined;
    const reason = code === 'EISDIR' ? `${resolve(path)} is a directory` : (missing ?? messageOf(error));
    throw new CommandError(
      `Error getting job struct: Error getting jobfile from "${path}": source path error: ${reason}`,
    );
  }
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  if (bytes.length > maximumBytes) throw new Error(`${url} is larger than ${maximumBytes} bytes`);
  return bytes;
}
