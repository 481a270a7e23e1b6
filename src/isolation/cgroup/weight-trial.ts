/** Whether a task may have a weight among those who use the disks: only with some schedulers of disks it means something. */
import { weightFiles } from './disk-weights.ts';
import type { CgroupHost } from './hierarchy.ts';
import { describeTaskCgroup, makeTaskCgroup, rareControllers, removeTaskCgroup } from './task-cgroup.ts';

const limits = { memoryBytes: null, memoryLowBytes: null, cpuShares: 100, pids: null, cpusetCpus: '', ioWeight: 100 };
let trials = 0;

/**
 * `Fault('unsupported')`: no disk heeds one; `Fault('unavailable')`: what the kernel says against it. A group is made and removed; where nothing is
 * that would hold a weight, none.
 */
export async function checkWeight(host: CgroupHost): Promise<void> {
  const ioWeightFiles = weightFiles(host);
  if (ioWeightFiles === null) return;
  const group = describeTaskCgroup(host, `weight-${process.pid}-${trials++}`, ['io']);
  try {
    await makeTaskCgroup(group, { ...limits, ioWeightFiles });
  } finally {
    await removeTaskCgroup(group);
  }
}

/** Of those that only some tasks ask for: what no group would hold here. */
export function unheldControllers(host: CgroupHost): readonly string[] {
  const held = new Set(host.hierarchies.flatMap(({ controllers }) => controllers));
  return rareControllers.filter((name) => !held.has(name));
}
