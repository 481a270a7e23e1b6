/** A job from a module: what it exports by default, or what its default function returns. Types are not checked, only taken out. */
import { messageOf } from '../lib/fault.ts';
import { formatJson, parseJson } from '../lib/json.ts';
import type { Job } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import { CommandError } from './command.ts';
import { importModule } from './import-module.ts';
import type { JobFile } from './job-file.ts';

export const isJobModule = (path: string): boolean => /\.job\.m?[jt]s$/.test(path);

export async function jobFromModule(path: string): Promise<JobFile> {
  let job: unknown;
  try {
    job = await endedByInterrupt(async () => {
      const loaded = await importModule(path);
      return typeof loaded.default === 'function' ? await loaded.default() : await loaded.default;
    });
  } catch (error) {
    throw new CommandError(`Error getting job struct: Error running ${path}:\n${messageOf(error)}`);
  }
  if (job === null || typeof job !== 'object' || typeof (job as Input<Job>).ID !== 'string')
    throw new CommandError(
      `Error getting job struct: ${path} has to export a job by default: export default job('NAME', { … })`,
    );
  // As JSON has it: nothing of the module is left in it.
  const source = formatJson(job, 2);
  return { job: parseJson(source) as Input<Job>, submission: { Source: source, Format: 'json' }, warnings: [] };
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
