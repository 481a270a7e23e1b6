/** What a task's resources mean in cgroup files. Pure. Source: the kernel's cgroup-v1 and cgroup-v2 documents. */
import type { TaskResources } from '../../driver/contract.ts';

export interface CgroupLimits {
  /** Bytes; null: no limit. */
  readonly memoryBytes: number | null;
  /** Bytes the task is sure to keep under pressure; null: none. */
  readonly memoryLowBytes: number | null;
  /** 2 … 262144. */
  readonly cpuShares: number;
  readonly pids: number | null;
  /** `"0-1,4"`; empty: no cores of its own. */
  readonly cpusetCpus: string;
  /** Cores it may use at most, in parts: 0.25; absent: no hard limit. */
  readonly cpuCores?: number;
  /** 1 … 10000, 100 is ordinary; absent: as the kernel has it. */
  readonly ioWeight?: number;
  /** Those of it that a disk of this host heeds; absent: nobody looked. */
  readonly ioWeightFiles?: readonly string[];
}

const megabyte = 1024 * 1024;

/** memory alone is the limit; with memory_max that is the limit and memory the part kept under pressure; −1: none. */
export function limitsOf(
  resources: TaskResources,
  pids: number | null,
  more: Pick<CgroupLimits, 'cpuCores' | 'ioWeight' | 'ioWeightFiles'> = {},
): CgroupLimits {
  const { memoryMb, memoryMaxMb } = resources;
  const hardMb = memoryMaxMb > 0 ? memoryMaxMb : memoryMaxMb < 0 ? 0 : memoryMb;
  return {
    memoryBytes: hardMb > 0 ? hardMb * megabyte : null,
    memoryLowBytes: memoryMaxMb !== 0 && memoryMb > 0 ? memoryMb * megabyte : null,
    cpuShares: Math.min(262_144, Math.max(2, Math.round(resources.cpuShares))),
    pids,
    cpusetCpus: resources.cpusetCpus,
    ...more,
  };
}

/** v1 shares 2 … 262144 → v2 weight 1 … 10000. */
function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** 1 … 10000 in the scale of a file; null: none is wanted. */
function weightIn(file: string, weight: number | undefined): number | null {
  if (weight === undefined || file === 'io.weight') return weight ?? null;
  // that of cfq has 10 … 1000, 500 being ordinary, that of bfq 1 … 1000
  return file === 'blkio.weight' ? Math.min(1000, Math.max(10, weight * 5)) : Math.min(1000, weight);
}

/** One file of one controller. `optional`: a kernel without it is no reason to refuse the task. */
export interface LimitFile {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  readonly optional: boolean;
}

const cpuPeriodUs = 100_000;

export function limitFiles(limits: CgroupLimits, version: 1 | 2): readonly LimitFile[] {
  // less than a millisecond in a period the kernel does not take
  const quota = limits.cpuCores === undefined ? null : Math.max(1000, Math.round(limits.cpuCores * cpuPeriodUs));
  const row = (controller: string, file: string, value: string | number | null, optional = false): LimitFile[] =>
    value === null ? [] : [{ controller, file, value: String(value), optional }];
  const weights = (usual: string): LimitFile[] =>
    (limits.ioWeightFiles ?? [usual]).flatMap((file) => row('io', file, weightIn(file, limits.ioWeight)));
  if (version === 2) {
    return [
      ...row('memory', 'memory.max', limits.memoryBytes),
      ...row('memory', 'memory.low', limits.memoryLowBytes, true),
      ...row('memory', 'memory.swap.max', limits.memoryBytes === null ? null : 0, true),
      ...row('cpu', 'cpu.weight', cpuWeight(limits.cpuShares)),
      ...row('cpu', 'cpu.max', quota === null ? null : `${quota} ${cpuPeriodUs}`),
      ...weights('io.weight'),
      ...row('pids', 'pids.max', limits.pids),
      ...row('cpuset', 'cpuset.cpus', limits.cpusetCpus || null),
    ];
  }
  return [
    ...row('memory', 'memory.limit_in_bytes', limits.memoryBytes),
    ...row('memory', 'memory.soft_limit_in_bytes', limits.memoryLowBytes, true),
    ...row('memory', 'memory.swappiness', limits.memoryBytes === null ? null : 0, true),
    ...row('cpu', 'cpu.shares', limits.cpuShares),
    ...row('cpu', 'cpu.cfs_period_us', quota === null ? null : cpuPeriodUs),
    ...row('cpu', 'cpu.cfs_quota_us', quota),
    ...weights('blkio.weight'),
    ...row('pids', 'pids.max', limits.pids),
    ...row('cpuset', 'cpuset.cpus', limits.cpusetCpus || null),
  ];
}

/** The kernel rounds memory limits to whole pages. */
const pageSlack = 65_536;

/** Whether what the kernel says of a limit file is what was written to it. */
export function sameLimit(file: string, now: string, wanted: string): boolean {
  if (now === '') return false;
  if (file.startsWith('memory.') && file !== 'memory.swappiness')
    return now === wanted || Math.abs(Number(now) - Number(wanted)) < pageSlack;
  if (file === 'io.weight' || file === 'io.bfq.weight')
    return now.replace(/^default /, '') === wanted.replace(/^default /, '');
  if (file === 'cpuset.cpus') return cpuList(now).join() === cpuList(wanted).join();
  return now === wanted;
}

/** `"0-2,5"` → 0 1 2 5 */
export function cpuList(text: string): readonly number[] {
  return text
    .split(',')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
    })
    .sort((a, b) => a - b);
}
