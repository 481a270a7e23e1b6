/**
 * What the kernel's log says of memory that ran out. Engines hear of it by a message of its own, which is late on a busy host, and never comes
 * where the container's control group is gone before it is written (containerd), or where nobody listens (podman 4, control groups of version 1).
 * Source: the kernel's Documentation/ABI/testing/dev-kmsg, mm/oom_kill.c.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { uptime } from 'node:os';

export interface EndedContainer {
  readonly id: string;
  /** On the host, of its main process; 0: not known. */
  readonly pid: number;
  /** Unix nanoseconds. */
  readonly startedAt: bigint;
}

/** The log has a clock of its own, which in months goes minutes wrong. */
const slackUs = 600_000_000;

/** False also where the log may not be read. */
export function kernelLackedMemory(container: EndedContainer): boolean {
  const agoUs = Number(BigInt(Date.now()) * 1000n - container.startedAt / 1000n);
  return lackedMemory(readKernelLog(), container, uptime() * 1e6 - agoUs - slackUs);
}

/** `records`: as /dev/kmsg has them. `sinceUs`: since the boot; unlike names of groups, numbers of processes are used again. */
export function lackedMemory(
  records: readonly string[],
  { id, pid }: Pick<EndedContainer, 'id' | 'pid'>,
  sinceUs: number,
): boolean {
  return records.some((record) => {
    const [, at, text = ''] = /^\d+,\d+,(\d+),[^;]*;(.*)/.exec(record) ?? [];
    const group = /^oom-kill:.*\btask_memcg=([^,]*)/.exec(text)?.[1];
    if (group?.includes(id) === true) return true;
    // the line with the group is left out when there are many of them
    return pid > 1 && Number(at) >= sinceUs && text.includes(`out of memory: Killed process ${pid} (`);
  });
}

function readKernelLog(): readonly string[] {
  const records: string[] = [];
  const buffer = Buffer.alloc(16_384);
  let log: number;
  try {
    log = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return [];
  }
  try {
    for (;;) {
      try {
        records.push(buffer.toString('utf8', 0, readSync(log, buffer)));
      } catch (error) {
        // overwritten while it was read: the next is another one
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return records;
      }
    }
  } finally {
    closeSync(log);
  }
}
