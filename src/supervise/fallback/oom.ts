import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** How often the kernel killed for lack of memory in this cgroup (v2 `memory.events`, v1 `memory.oom_control`); 0 where it cannot be read. */
export function oomKills(directory: string | undefined): number {
  if (directory === undefined) return 0;
  for (const name of ['memory.events', 'memory.oom_control']) {
    try {
      return Number(/^oom_kill ([0-9]+)$/m.exec(readFileSync(join(directory, name), 'utf8'))?.[1] ?? 0);
    } catch {
      // The other hierarchy.
    }
  }
  return 0;
}
