/** Whether a group is held to its memory: a child asks for twice as much, and the group counts its end. */
import { join } from 'node:path';
import { kernelText } from '../../lib/node/kernel-file.ts';
import type { TaskCgroup } from '../cgroup/task-cgroup.ts';
import { type ProbeAnswer, runChild } from './probe.ts';

/** Never more than that, where nothing holds it. `limitBytes`: what the group was given. */
export async function lookAtMemory(
  { path, version }: TaskCgroup['directories'][number],
  limitBytes: number,
): Promise<ProbeAnswer> {
  // a line without an end, which tail keeps
  const fill = `head -c ${2 * limitBytes} /dev/zero | exec tail -n 1 >/dev/null`;
  const done = await runChild(['sh', '-c', `echo $$ > ${join(path, 'cgroup.procs')} || exit 99; ${fill}`]);
  const counted = kernelText(join(path, version === 2 ? 'memory.events' : 'memory.oom_control'));
  const kills = /^oom_kill (\d+)$/m.exec(counted)?.[1];
  const evidence = `${kills ?? 'an unknown number of'} ended by the kernel`;
  // killed for being late is no end by the kernel, and an old kernel does not count
  const ok = done.code === 137 && kills !== '0';
  return ok
    ? { ok, evidence: `a child that asked for twice its memory was killed: ${evidence}` }
    : { ok, evidence: `a child that asked for twice its memory ended with ${done.code}, ${evidence}; ${done.stderr}` };
}
