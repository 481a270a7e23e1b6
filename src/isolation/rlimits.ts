/**
 * Bounds of processes: for tasks that get no cgroup (weaker, because memory is bounded for each process alone), and on images of their memory.
 * Source: getrlimit(2), core(5).
 */
import { kernelText } from '../lib/node/kernel-file.ts';
import type { CgroupLimits } from './cgroup/limits.ts';

export interface ResourceLimit {
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

export const data = 2;
export const processes = 6;
export const cores = 4;
const megabyte = 1024n * 1024n;

/**
 * What bounds a task where no cgroup can. Four times its memory, at least 256 MB, as address space for data; `pids` counts per uid, not
 * per task. `own`: `/proc/self/limits`; what bounds the agent nobody may exceed.
 */
export function resourceLimits(limits: CgroupLimits, own = kernelText('/proc/self/limits')): readonly ResourceLimit[] {
  const rows: ResourceLimit[] = [];
  const bound = (resource: number, wanted: bigint, name: string): void => {
    const { hard } = limitIn(own, name);
    const value = /^\d+$/.test(hard) && BigInt(hard) < wanted ? BigInt(hard) : wanted;
    rows.push({ resource, soft: value, hard: value });
  };
  if (limits.memoryBytes !== null) {
    // what is mapped is more than what is used: runtimes that reserve generously must still start
    const bytes = BigInt(limits.memoryBytes) * 4n;
    const bounded = bytes < 256n * megabyte ? 256n * megabyte : bytes;
    bound(data, bounded, 'Max data size');
  }
  if (limits.pids !== null) bound(processes, BigInt(limits.pids), 'Max processes');
  return rows;
}

/** Of those that a held task has, `/proc/<pid>/limits`: `{ soft: "1", hard: "unlimited" }`; both empty: not there. */
export function limitIn(text: string, name: string): { readonly soft: string; readonly hard: string } {
  const row = text.split('\n').find((each) => each.startsWith(name));
  const [soft = '', hard = ''] = row?.slice(name.length).trim().split(/\s+/) ?? [];
  return { soft, hard };
}

export const coreLimitName = 'Max core file size';

/**
 * No image of a process's memory is written, nor given to the program that core_pattern names: the kernel takes 1 for both, and only that. Nothing
 * where the agent's own limit is 0: then a file is not written either, and who is not root cannot have more.
 */
export function withoutCores(): readonly ResourceLimit[] {
  const { hard } = limitIn(kernelText('/proc/self/limits'), coreLimitName);
  return hard === '0' ? [] : [{ resource: cores, soft: 1n, hard: 1n }];
}
