/** What a start left in its control groups, whoever wrote it there: compared for as long as the task runs, so that no engine's rounding is a loss. */
import { join } from 'node:path';
import { kernelText } from '../../lib/node/kernel-file.ts';
import { type CgroupLimits, sameLimit } from './limits.ts';
import type { CgroupDirectory, TaskCgroup } from './task-cgroup.ts';

/** Files that bound a task beside `pids.max` and the limit of memory, which have lines of their own. */
const files: Readonly<Record<1 | 2, Readonly<Record<string, readonly string[]>>>> = {
  1: {
    memory: ['memory.memsw.limit_in_bytes', 'memory.soft_limit_in_bytes', 'memory.swappiness'],
    cpu: ['cpu.shares', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'],
    io: [
      ...['blkio.weight', 'blkio.bfq.weight'],
      ...['read_bps', 'write_bps', 'read_iops', 'write_iops'].map((each) => `blkio.throttle.${each}_device`),
    ],
    cpuset: ['cpuset.cpus'],
  },
  2: {
    memory: ['memory.min', 'memory.low', 'memory.high', 'memory.swap.max'],
    cpu: ['cpu.weight', 'cpu.max'],
    io: ['io.weight', 'io.bfq.weight', 'io.max'],
    cpuset: ['cpuset.cpus'],
  },
};

/** File → what it said: `{ "cpu.shares": "100" }`. */
export type Bounds = Readonly<Record<string, string>>;

/** Only of what bounds something: what is unlimited at the start nobody can lift. */
export function readBounds(cgroup: TaskCgroup | null, limits: CgroupLimits | null): Bounds {
  const found = (cgroup?.directories ?? []).flatMap((directory) =>
    filesOf(directory).map((file) => [file, kernelText(join(directory.path, file)).trim()] as const),
  );
  return boundsIn(found, limits);
}

function boundsIn(found: readonly (readonly [file: string, value: string])[], limits: CgroupLimits | null): Bounds {
  const bounding = found.filter(([file, value]) => !isUnlimited(file, value));
  const has = (name: string): boolean => bounding.some(([file]) => file === name);
  const counts = (file: string): boolean => {
    // one without processors of its own has the host's, and those come and go
    if (file === 'cpuset.cpus') return (limits?.cpusetCpus ?? '') !== '';
    return file !== 'cpu.cfs_period_us' || has('cpu.cfs_quota_us');
  };
  return Object.fromEntries(bounding.filter(([file]) => counts(file)));
}

/** What is not as it was: `"cpu.shares 2, not 100"`. */
export function boundsDrift(cgroup: TaskCgroup, bounds: Bounds): readonly string[] {
  return Object.entries(bounds).flatMap(([file, before]) => {
    const directory = cgroup.directories.find((each) => filesOf(each).includes(file));
    const now = directory === undefined ? '' : kernelText(join(directory.path, file)).trim();
    return sameLimit(file, now, before) ? [] : [`${file} ${now || 'absent'}, not ${before}`];
  });
}

function filesOf({ version, controllers }: CgroupDirectory): readonly string[] {
  return controllers.flatMap((controller) => files[version][controller] ?? []);
}

function isUnlimited(file: string, value: string): boolean {
  if (file === 'memory.swappiness') return value !== '0';
  if (file === 'memory.min' || file === 'memory.low') return value === '' || value === '0';
  return value === '' || value === '-1' || value.startsWith('max') || /^\d{16,}$/.test(value);
}
