/** A job from a module: what it exports by default, or what its default function returns. Types are not checked, only taken out. */
import { resolve } from 'node:path';
import { checkJobJson } from '../jobspec/index.ts';
import { messageOf } from '../lib/fault.ts';
import { formatJson, parseJson } from '../lib/json.ts';
import { namesAround } from '../lib/names-around.ts';
import { utf8Text } from '../lib/utf8-text.ts';
import type { Job } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import { CommandError } from './command.ts';
import { importModule } from './import-module.ts';
import type { JobFile } from './job-file.ts';
import { moduleProblem } from './module-problem.ts';

export const isJobModule = (path: string): boolean => /\.job\.m?[jt]s$/.test(path);

export async function jobFromModule(path: string, source: Uint8Array): Promise<JobFile> {
  const text = readable(path, source);
  const job = await exported(path, text);
  if (job === null || typeof job !== 'object' || typeof (job as Input<Job>).ID !== 'string') {
    const what = job === undefined ? 'no job is exported by default' : 'what is exported by default is no job';
    const { place, name } = exportOf(path, text);
    throw new CommandError(
      `Error getting job struct: ${place}: ${what}; write: export default ${name ?? "job('NAME', { … })"}`,
    );
  }
  const json = asJson(job, path);
  const lines = json.split('\n');
  const wrong = checkJobJson(json, path).filter(({ severity }) => severity === 'error');
  if (wrong.length > 0) {
    const told = wrong.map(({ subject, detail }) => `${namesAround(lines, subject.startLine).join('.')}: ${detail}`);
    throw new CommandError(
      `Error getting job struct: ${exportOf(path, text).place}: the job is not as the API takes it:\n${told.join('\n')}`,
    );
  }
  const submission = { Source: json, Format: 'json' };
  return { job: parseJson(json) as Input<Job>, submission, warnings: [], exportedAt: exportOf(path, text).place };
}

function readable(path: string, source: Uint8Array): string {
  try {
    return utf8Text(source);
  } catch (error) {
    throw new CommandError(`Error getting job struct: Error running ${path}:\n${path}: ${messageOf(error)}`);
  }
}

async function exported(path: string, source: string): Promise<unknown> {
  const leave = sayIfItEndsHere(path);
  try {
    return await endedByInterrupt(async () => {
      const loaded = await importModule(path);
      return typeof loaded.default === 'function' ? await loaded.default() : await loaded.default;
    });
  } catch (error) {
    const problem = moduleProblem(error, resolve(path), exportOf(path, source).place);
    throw new CommandError(`Error getting job struct: Error running ${path}:\n${problem}`);
  } finally {
    leave();
  }
}

/** Where the default export of a module stands, else its first, with that one's name; else its beginning. */
function exportOf(path: string, source: string): { readonly place: string; readonly name: string | undefined } {
  const found = /\bexport\s+default\b/.exec(source) ?? /\bexport\b(?:\s+(?:const|let|var)\s+([\w$]+))?/.exec(source);
  const before = source.slice(0, found?.index ?? 0).split('\n');
  return { place: `${path}:${before.length}:${before.at(-1)!.length + 1}`, name: found?.[1] };
}

/** A module may end the program, or wait for what never comes: no job then, which nobody else would say. */
function sayIfItEndsHere(path: string): () => void {
  const ended = (): void => {
    process.stderr.write(`Error getting job struct: Error running ${path}:\nit ended before it gave a job\n`);
    process.exitCode = 1;
  };
  process.once('exit', ended);
  return () => process.off('exit', ended);
}

/** Nothing of the module is left in it. */
function asJson(job: object, path: string): string {
  try {
    return formatJson(job, 2);
  } catch (error) {
    const [reason = ''] = messageOf(error).split('\n');
    throw new CommandError(`Error getting job struct: the job of ${path} cannot be written as JSON: ${reason}`);
  }
}

/** Ctrl-C ends a module that does not come to its end: a listener would have to wait for that. */
async function endedByInterrupt<T>(run: () => Promise<T>): Promise<T> {
  const listeners = process.rawListeners('SIGINT') as NodeJS.SignalsListener[];
  process.removeAllListeners('SIGINT');
  try {
    return await run();
  } finally {
    for (const listener of listeners) process.on('SIGINT', listener);
  }
}
