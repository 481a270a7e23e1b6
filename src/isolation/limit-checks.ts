/** Whether a held task's limits are really there: read back from its cgroup, or from its rlimits where it has none. */
import { kernelText } from '../lib/node/kernel-file.ts';
import type { CgroupLimits } from './cgroup/limits.ts';
import { boundsTask, readCgroupFile, type TaskCgroup } from './cgroup/task-cgroup.ts';
import type { Mechanism } from './lines.ts';

export interface LimitRequest {
  readonly pid: number;
  readonly cgroup: TaskCgroup | null;
  readonly limits: CgroupLimits | null;
}

type Line = (name: string, ok: boolean, evidence: string) => Mechanism;

/** The kernel rounds memory limits to whole pages. */
const pageSlack = 65_536;

export function limitChecks(request: LimitRequest, rlimits: string, line: Line): readonly Mechanism[] {
  const { cgroup, limits } = request;
  if (!boundsTask(cgroup) || limits === null) return byRlimits(rlimits, line);
  const version = cgroup.directories.find((each) => each.controllers.includes('memory'))?.version;
  const pids = readCgroupFile(cgroup, 'pids', 'pids.max');
  const memory = readCgroupFile(cgroup, 'memory', version === 2 ? 'memory.max' : 'memory.limit_in_bytes');
  const joined = isInGroup(request.pid, cgroup);
  const pidsOk = joined && limits.pids !== null && pids === String(limits.pids);
  const memoryOk = joined && limits.memoryBytes !== null && Math.abs(Number(memory) - limits.memoryBytes) < pageSlack;
  const why = joined ? '' : ', but the task is not in its cgroup';
  return [
    line('pids_limit', pidsOk, `pids.max ${pids || 'absent'}${why}`),
    line('memory_limit', memoryOk, `${memory || 'no'} bytes${why}`),
    line('cgroup_limits', pidsOk && memoryOk, `pids.max ${pids || 'absent'}, memory ${memory || 'absent'}${why}`),
  ];
}

function isInGroup(pid: number, cgroup: TaskCgroup): boolean {
  const text = kernelText(`/proc/${pid}/cgroup`);
  return text.split('\n').some((row) => row.split('/').includes(cgroup.name));
}

function byRlimits(text: string, line: Line): readonly Mechanism[] {
  const processes = rlimit(text, 'Max processes');
  const data = rlimit(text, 'Max data size');
  return [
    line(
      'pids_limit',
      processes !== null,
      processes === null ? 'no cgroup, no rlimit' : `rlimit: ${processes} processes of this uid`,
    ),
    line(
      'memory_limit',
      data !== null,
      data === null ? 'no cgroup, no rlimit' : `rlimit: ${data} bytes of data for each process`,
    ),
    line('cgroup_limits', false, 'no cgroup'),
  ];
}

/** The soft limit in `/proc/<pid>/limits`; null: unlimited or not there. */
function rlimit(text: string, name: string): string | null {
  const row = text.split('\n').find((each) => each.startsWith(name));
  const value = row?.slice(name.length).trim().split(/\s+/)[0] ?? '';
  return /^\d+$/.test(value) ? value : null;
}
