/** Bounds for tasks that get no cgroup: weaker, because memory is bounded for each process alone. Source: getrlimit(2). */
import type { CgroupLimits } from './cgroup/limits.ts';

export interface ResourceLimit {
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

const data = 2;
const processes = 6;
const megabyte = 1024n * 1024n;

/**
 * What bounds a task where no cgroup can. Four times its memory, at least 256 MB, as address space for data; `pids` counts per uid, not
 * per task.
 */
export function resourceLimits(limits: CgroupLimits): readonly ResourceLimit[] {
  const rows: ResourceLimit[] = [];
  if (limits.memoryBytes !== null) {
    // what is mapped is more than what is used: runtimes that reserve generously must still start
    const bytes = BigInt(limits.memoryBytes) * 4n;
    const bounded = bytes < 256n * megabyte ? 256n * megabyte : bytes;
    rows.push({ resource: data, soft: bounded, hard: bounded });
  }
  if (limits.pids !== null) rows.push({ resource: processes, soft: BigInt(limits.pids), hard: BigInt(limits.pids) });
  return rows;
}
