/**
 * The main process of a task whose shim is gone and that has no cgroup. In a pid namespace it is the init of all others, so ending it ends
 * them. It is known by pid *and* start time; a pid that was given on is never signalled.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when it is gone, at once where it was; at most 5 s. */
export async function endOrphan(pid: number, startTime: string): Promise<boolean> {
  if (process.platform !== 'linux' || pid <= 1 || startTime === '0') return false;
  for (const deadline = Date.now() + 5000; (await startTimeOf(pid)) === startTime; await sleep(10)) {
    if (Date.now() > deadline) return false;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended between the look and the signal
    }
  }
  return true;
}

/** Field 22 of `/proc/<pid>/stat`; null where there is no such process, or only its remains. */
async function startTimeOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return text === '' || fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[22 - 3] ?? null);
}
