import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** Who is who on this machine: the boot, and processes that pids alone do not name. */

let remembered: string | undefined;

/** The boot's id; where the system has none, one made of its start time (to the minute). */
export function bootId(): string {
  if (remembered !== undefined) return remembered;
  try {
    remembered = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    remembered =
      process.platform === 'linux' ? randomUUID() : `since-${Math.round((Date.now() / 1000 - uptime()) / 60)}`;
  }
  return remembered;
}

/** Clock ticks since boot at which a process began (field 22 of /proc/pid/stat); 0n: no such process, or not known here. */
export function startTimeOf(pid: number): bigint {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 0n : BigInt(fields[19] ?? '0');
  } catch {
    return 0n;
  }
}

/** True where that very process still lives. Without /proc the pid alone must do. */
export function isAlive(pid: number, startTime: bigint): boolean {
  if (process.platform === 'linux') return startTime !== 0n && startTimeOf(pid) === startTime;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
