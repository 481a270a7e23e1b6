/** A job from a module: what it exports by default, or what its default function returns. Types are not checked, only taken out. */
import { messageOf } from '../lib/fault.ts';
import type { Job } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import { CommandError } from './command.ts';
import { importModule } from './import-module.ts';
import type { JobFile } from './job-file.ts';

export const isJobModule = (path: string): boolean => /\.job\.m?[jt]s$/.test(path);

export async function jobFromModule(path: string): Promise<JobFile> {
  let job: unknown;
  try {
    const loaded = await importModule(path);
    job = typeof loaded.default === 'function' ? await loaded.default() : await loaded.default;
  } catch (error) {
    throw new CommandError(`Error getting job struct: Error running ${path}:\n${messageOf(error)}`);
  }
  if (job === null || typeof job !== 'object' || typeof (job as Input<Job>).ID !== 'string')
    throw new CommandError(
      `Error getting job struct: ${path} has to export a job by default: export default job('NAME', { … })`,
    );
  // As JSON has it: nothing of the module is left in it.
  const plain = JSON.parse(JSON.stringify(job)) as Input<Job>;
  return { job: plain, submission: { Source: JSON.stringify(plain, undefined, 2), Format: 'json' }, warnings: [] };
}
