/**
 * Unlike Nomad, tasks have no capability: a program that needs one ends at once with a text that names none. What it says it was refused tells
 * which it is likely to be.
 */
import type { TaskConfig, TaskExit } from '../driver/contract.ts';
import { openBeneath } from '../lib/node/safe-path.ts';

/** Ids that a user namespace does not have are an invalid argument to it. */
const refused =
  /not permitted|permission denied|EPERM|EACCES|(chown|ownership|set[ug]id|setgroups).*(invalid argument|EINVAL)/i;

/** In what a program says of the call that was refused; the first that fits. */
const signs: readonly (readonly [RegExp, string])[] = [
  [/bind|listen|port\b/i, 'NET_BIND_SERVICE'],
  [/chown|ownership|owner of/i, 'CHOWN'],
  [/setgroups|setgid|setegid|initgroups|group id/i, 'SETGID'],
  [/setuid|seteuid|setreuid|user id|change user|drop privileges|cannot set.*uid/i, 'SETUID'],
  [/chroot/i, 'SYS_CHROOT'],
  [/mknod/i, 'MKNOD'],
  [/chmod|utime|changing permissions/i, 'FOWNER'],
  [/raw socket|icmp|ping|SOCK_RAW/i, 'NET_RAW'],
  [/iptables|nft|netlink|interface|tun\b/i, 'NET_ADMIN'],
  [/ptrace/i, 'SYS_PTRACE'],
  [/nice|setpriority|sched_set/i, 'SYS_NICE'],
  [/settimeofday|clock_settime|set date/i, 'SYS_TIME'],
  [/mlock|memlock/i, 'IPC_LOCK'],
  [/mount|sethostname|swapon|pivot_root/i, 'SYS_ADMIN'],
  [/kill/i, 'KILL'],
];

/** The last line about a refusal, and the capability it is likely about; null: there is none. */
function likelyCapability(text: string): { readonly capability: string; readonly line: string } | null {
  const line = text.split('\n').findLast((each) => refused.test(each) && signs.some(([sign]) => sign.test(each)));
  const capability = signs.find(([sign]) => sign.test(line ?? ''))?.[1];
  return line === undefined || capability === undefined ? null : { capability, line: line.trim().slice(0, 200) };
}

const soonNs = 1_000_000_000n;
const tailBytes = 4096;

/** The end of a task, with a message where it failed within a second after it was refused something. */
export async function withHint(exit: TaskExit, task: TaskConfig, startedAt: bigint): Promise<TaskExit> {
  const { finishedAt = 0n, exitCode, signal, unknown } = exit;
  if (exitCode === 0 || signal !== 0 || unknown !== undefined || exit.message !== undefined) return exit;
  if (startedAt <= 0n || finishedAt - startedAt > soonNs || task.log.disabled || task.log.fifos !== null) return exit;
  const said = likelyCapability(await tail(task).catch(() => ''));
  if (said === null) return exit;
  const { capability, line } = said;
  return {
    ...exit,
    message: `it was refused ${capability}, it seems (${line}): cap_add = ["${capability.toLowerCase()}"]`,
  };
}

async function tail({ directories, name }: TaskConfig): Promise<string> {
  const file = await openBeneath(directories.logs, `${name}.stderr.0`);
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, Math.max(0, size - tailBytes));
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
