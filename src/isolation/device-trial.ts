/** Rules of devices in a control group of version 2: a program in the kernel that nothing reads back, so that they are tried. */
import { readCgroupFile, type TaskCgroup } from './cgroup/task-cgroup.ts';
import { tryNatively } from './mechanisms/kernel.ts';
import type { ProbeAnswer } from './mechanisms/probe.ts';

/** Of version 1, one per line; `''`: there are none that can be read. */
export function deviceRules(group: TaskCgroup | null): string {
  return group === null ? '' : readCgroupFile(group, 'devices', 'devices.list');
}

/**
 * What a child born in the group can open of what the agent can and no task may. Null: the group has rules that can be read, or there is no
 * group. `verifier`: host path of the native program; null: not built.
 */
export async function tryDevices(verifier: string | null, group: TaskCgroup | null): Promise<ProbeAnswer | null> {
  const unified = group?.directories.find(({ version }) => version === 2);
  if (unified === undefined || deviceRules(group) !== '') return null;
  return tryNatively(verifier, ['devices', unified.path]);
}
