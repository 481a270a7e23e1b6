/** Parses a job file in this process: its functions see this machine's files, its variables this shell's environment. */
import { basename } from 'node:path';
import { parseJob } from '../jobspec/index.ts';
import { nodeFunctionHost } from '../lib/node/hcl-functions.ts';
import { type Call, CommandError } from './command.ts';
import { diagnosticTexts } from './diagnostics.ts';
import { readGiven } from './given-file.ts';
import type { JobFile } from './job-file.ts';

export function parseLocally(
  { flags, env, terminal }: Call,
  source: Uint8Array,
  path: string,
  given: { readonly variables: readonly string[]; readonly files: readonly string[] },
): JobFile {
  const parsed = parseJob({
    source,
    filename: path === '-' ? '-' : basename(path),
    variables: { env, flags: given.variables, files: given.files.map(readVariables) },
    strict: flags.bool('hcl2-strict', true),
    host: nodeFunctionHost({ workingDirectory: process.cwd() }),
  });
  const texts = (severity: 'error' | 'warning'): string[] =>
    diagnosticTexts(
      terminal,
      parsed.diagnostics.filter((item) => item.severity === severity),
    );
  if (parsed.job === null)
    throw new CommandError(
      `Error getting job struct: Error parsing job file from ${path}:\n${texts('error').join('\n')}${whatElse(path)}`,
    );
  return { job: parsed.job, submission: parsed.submission, warnings: texts('warning') };
}

const whatElse = (path: string): string =>
  /\.ya?ml$/.test(path) ? `\nA Compose file becomes a job file by: drover job import ${path}` : '';

const readVariables = (name: string): { name: string; source: Buffer } => ({
  name,
  source: readGiven(name, 'Error getting job struct: Failed to read file'),
});
