/** A job from a module: what it exports by default, or what its default function returns. Types are not checked, only taken out. */
import { resolve } from 'node:path';
import { messageOf } from '../lib/fault.ts';
import { formatJson, parseJson } from '../lib/json.ts';
import { utf8Text } from '../lib/utf8-text.ts';
import type { Job } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import { CommandError } from './command.ts';
import { importModule } from './import-module.ts';
import type { JobFile } from './job-file.ts';
import { moduleProblem } from './module-problem.ts';

export const isJobModule = (path: string): boolean => /\.job\.m?[jt]s$/.test(path);

export async function jobFromModule(path: string, source: Uint8Array): Promise<JobFile> {
  const job = await exported(path, source);
  if (job === null || typeof job !== 'object' || typeof (job as Input<Job>).ID !== 'string')
    throw new CommandError(`Error getting job struct: ${path}:${noJob(job, Buffer.from(source).toString())}`);
  const text = asJson(job, path);
  return { job: parseJson(text) as Input<Job>, submission: { Source: text, Format: 'json' }, warnings: [] };
}

async function exported(path: string, source: Uint8Array): Promise<unknown> {
  const leave = sayIfItEndsHere(path);
  try {
    utf8Text(source);
    return await endedByInterrupt(async () => {
      const loaded = await importModule(path);
      return typeof loaded.default === 'function' ? await loaded.default() : await loaded.default;
    });
  } catch (error) {
    throw new CommandError(`Error getting job struct: Error running ${path}:\n${moduleProblem(error, resolve(path))}`);
  } finally {
    leave();
  }
}

/** The place of what is exported instead of a job, and what to write. */
function noJob(given: unknown, source: string): string {
  const found = /\bexport\s+default\b/.exec(source) ?? /\bexport\b(?:\s+(?:const|let|var)\s+([\w$]+))?/.exec(source);
  const before = source.slice(0, found?.index ?? 0).split('\n');
  const name = found?.[1] ?? `job('NAME', { … })`;
  const what = given === undefined ? 'no job is exported by default' : 'what is exported by default is no job';
  return `${before.length}:${before.at(-1)!.length + 1}: ${what}; write: export default ${name}`;
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
