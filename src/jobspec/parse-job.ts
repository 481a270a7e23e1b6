import {
  type Block,
  type Body,
  type BodySchema,
  Budget,
  bodyContent,
  type Diagnostic,
  type EvalContext,
  errorAt,
  type FunctionHost,
  hasErrors,
  LimitError,
  type MissingAttribute,
  objectValue,
  parse,
  runtimeInterpolation,
  standardFunctions,
  suggestion,
} from '../hcl/index.ts';
import { append } from '../lib/append.ts';
import { compareText } from '../lib/order.ts';
import { Job } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import { TaskGroup } from '../model/task-group.ts';
import { whereInFile } from './elsewhere.ts';
import { emptyRow, JobDecoder } from './job-decoder.ts';
import { evaluateLocals } from './locals.ts';
import { normalizeJob } from './normalize.ts';
import { type Submission, submissionOf } from './submission.ts';
import { declaredVariables } from './variable-declarations.ts';
import { type VariableSources, VariableValues } from './variable-values.ts';

export interface JobFile {
  readonly source: string | Uint8Array;
  /** For positions only. */
  readonly filename: string;
  readonly variables?: VariableSources;
  /** A value for a variable that is not declared is an error (default), else ignored. Environment names never are. */
  readonly strict?: boolean;
  /** What functions get from outside: files, hashes, randomness. Without files their functions are refused, as on a server. */
  readonly host?: FunctionHost;
}

export interface ParsedJob {
  /** The API's JSON form, nothing defaulted; null with errors among the diagnostics. */
  readonly job: Input<Job> | null;
  /** Every problem, in order of place. */
  readonly diagnostics: readonly Diagnostic[];
  /** What the server keeps of the file, to show it again; null with errors. */
  readonly submission: Submission | null;
}

function undeclared(name: string, declared: Iterable<string>): MissingAttribute {
  const near = suggestion(name, declared);
  return { detail: `no variable "${name}" is declared.${near === '' ? ` Declare it: variable "${name}" {}` : near}` };
}

const fileSchema: BodySchema = {
  attributes: [],
  blocks: [
    { type: 'variables' },
    { type: 'variable', labelNames: ['name'] },
    { type: 'locals' },
    { type: 'job', labelNames: ['name'] },
  ],
  elsewhere: (name) =>
    name === 'Job' || name === 'TaskGroups'
      ? "This is a job in the API's JSON form: the commands take it with -json."
      : whereInFile(name),
};

/** A job file in HCL or in HCL's JSON syntax → the job as the API takes it. Never throws on any input. */
export function parseJob(file: JobFile): ParsedJob {
  const parsed = parse(file.source, file.filename);
  const diagnostics: Diagnostic[] = [...parsed.diagnostics];
  const job = hasErrors(diagnostics) ? null : withinLimits(parsed.body, file, diagnostics);
  const failed = job === null || hasErrors(diagnostics);
  return {
    job: failed ? null : job.job,
    diagnostics: diagnostics.sort(byPlace),
    submission: failed ? null : job.submission,
  };
}

/** What is too large only when put together ends here; what is too large by itself was reported at its place. */
function withinLimits(body: Body, file: JobFile, diagnostics: Diagnostic[]): ReturnType<typeof readFile> {
  try {
    return readFile(body, file, diagnostics);
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    diagnostics.push(errorAt(body.missingItemRange, 'Job file too large', `the file needs ${error.message}`));
    return null;
  }
}

function readFile(
  body: Body,
  file: JobFile,
  diagnostics: Diagnostic[],
): { job: Input<Job>; submission: Submission } | null {
  const content = bodyContent(body, fileSchema);
  append(diagnostics, content.diagnostics);
  if (hasErrors(diagnostics)) return null;
  const of = (type: string) => content.blocks.filter((block) => block.type === type);
  const base: EvalContext = {
    functions: standardFunctions(file.host ?? {}),
    undefinedVariable: runtimeInterpolation,
    budget: new Budget(),
  };
  const variables = declaredVariables(content.blocks, diagnostics);
  const values = new VariableValues(variables, file.strict ?? true, diagnostics);
  if (!values.collect(file.variables ?? {})) return null;
  const withVariables: EvalContext = {
    parent: base,
    variables: new Map([['var', objectValue(values.values(base))]]),
    missing: (name, attribute) => (name === 'var' ? undeclared(attribute, variables.keys()) : undefined),
  };
  const locals = evaluateLocals(of('locals'), withVariables, diagnostics);
  const context: EvalContext = {
    parent: withVariables,
    variables: new Map([['local', objectValue(locals.values)]]),
    missing: locals.missing,
  };
  const block = onlyJob(of('job'), body, diagnostics);
  if (block === undefined) return null;
  const decoder = new JobDecoder(context);
  const row = normalizeJob(decoder.noun(Job, block.body), block.labels[0]!, () => emptyRow(TaskGroup));
  append(diagnostics, decoder.diagnostics);
  return { job: row as Input<Job>, submission: submissionOf(file, variables) };
}

function onlyJob(blocks: readonly Block[], file: Body, diagnostics: Diagnostic[]): Block | undefined {
  const [first, ...more] = blocks;
  if (first === undefined) {
    diagnostics.push(missingJob(file));
    return undefined;
  }
  for (const block of more) {
    const detail = `Only one block of type "job" is allowed. Previous definition was at ${first.headerRange}.`;
    diagnostics.push(errorAt(block.headerRange, 'Duplicate job block', detail));
  }
  return first;
}

function missingJob(file: Body): Diagnostic {
  const start = file.missingItemRange;
  // A comment ends with a line feed alone: one at the top then holds the whole file.
  const { bytes } = start.file;
  const returns = bytes.includes(13) && !bytes.includes(10) ? '. Its lines end in "\\r": save it with line feeds' : '';
  return errorAt(start, 'Missing job block', `the file needs one block "job"${returns}`);
}

/** Files one after the other, each from its top. */
function byPlace({ subject: a }: Diagnostic, { subject: b }: Diagnostic): number {
  return compareText(a.filename, b.filename) || a.startByte - b.startByte;
}
