/** Whether a task may have a weight among those who use the disks: kernels have the file of it only with some schedulers of disks. */
import { messageOf } from '../../lib/fault.ts';
import type { CgroupHost } from './hierarchy.ts';
import { describeTaskCgroup, makeTaskCgroup, rareControllers, removeTaskCgroup } from './task-cgroup.ts';

const limits = { memoryBytes: null, memoryLowBytes: null, cpuShares: 100, pids: null, cpusetCpus: '', ioWeight: 100 };
let trials = 0;

/** `null`: it is taken, or nothing is there that would hold it; else what the kernel says. A group is made and removed. */
export async function refusalOfWeight(host: CgroupHost): Promise<string | null> {
  if (unheldControllers(host).includes('io')) return null;
  const group = describeTaskCgroup(host, `weight-${process.pid}-${trials++}`, ['io']);
  try {
    await makeTaskCgroup(group, limits);
    return null;
  } catch (error) {
    return messageOf(error).replaceAll(group.name, '<task>');
  } finally {
    await removeTaskCgroup(group);
  }
}

/** Of those that only some tasks ask for: what no group would hold here. */
export function unheldControllers(host: CgroupHost): readonly string[] {
  const held = new Set(host.hierarchies.flatMap(({ controllers }) => controllers));
  return rareControllers.filter((name) => !held.has(name));
}
