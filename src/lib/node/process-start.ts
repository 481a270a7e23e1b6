import { readFileSync } from 'node:fs';

/** The boot and the tick at which a process began (Linux, proc(5)): no other process ever has both. `''`: there is none, or the system does not say. */
export function startOfProcess(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything: fields are counted from its end. Field 22 is the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${fields[19] ?? ''}`;
  } catch {
    return '';
  }
}
