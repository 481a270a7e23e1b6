/** What a rehearsal of a start tells, by the code that starts. */
import { posix } from 'node:path';
import type { TaskConfig } from '../driver/contract.ts';
import { isFault } from '../lib/fault.ts';

/** Directories of a task, in which others put things before it runs or while it does. */
const ownDirectories = ['local', 'alloc', 'secrets'];

/**
 * Whether a file that is not there may be there when the task starts: in directories of its own, in a volume, or anywhere below its own
 * directory where something brings files. `path`: as the job writes it, or of the host. Never so at a start.
 */
export function mayCome({ rehearsal, directories, mounts }: TaskConfig, path: string): boolean {
  if (rehearsal === undefined) return false;
  if (rehearsal.filesCome) return true;
  const wanted = posix.normalize(posix.isAbsolute(path) ? path : `/${path}`);
  const own = [...ownDirectories.map((name) => `/${name}`), directories.allocation];
  return [...own, ...mounts.map(({ taskPath }) => taskPath)].some((parent) => wanted.startsWith(`${parent}/`));
}

/** The texts of its faults; any other error is none of the task's, and rejects. */
export async function refusalsOf(signal: AbortSignal, work: () => Promise<unknown>): Promise<readonly string[]> {
  try {
    await work();
    return [];
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return [error.message];
  }
}
