/** Why no more processes can be started here, and what lets more be: a start that met EAGAIN says it with its error. */
import { dirname, join } from 'node:path';
import { kernelText } from '../lib/node/kernel-file.ts';

export interface ProcessRoom {
  /** The agent's own groups and those above, where they are bounded. */
  readonly groups: readonly { readonly path: string; readonly max: number; readonly current: number }[];
  readonly uid: number;
  /** Soft limit of processes of this user; null: none. */
  readonly rlimit: number | null;
}

/** `null`: `message` is of something else. Pure. */
export function processAdvice(message: string, look: () => ProcessRoom): string | null {
  if (!/EAGAIN|resource temporarily unavailable/i.test(message)) return null;
  const { groups, uid, rlimit } = look();
  // the fullest first; of what was full a moment ago a process may have ended since
  const [group] = [...groups].sort((a, b) => a.max - a.current - (b.max - b.current));
  if (group !== undefined && (uid === 0 || rlimit === null || group.max - group.current < 16))
    return `no more processes can be started: ${group.path} has ${group.current} of ${group.max}; raise its pids.max (of a unit: TasksMax=)`;
  if (uid !== 0 && rlimit !== null)
    return `no more processes can be started: uid ${uid} may have ${rlimit}; raise its limit (ulimit -u, of a unit: LimitNPROC=)`;
  return 'no more processes can be started: raise kernel.pid_max or kernel.threads-max';
}

/** Of this process, now. */
export function processRoom(): ProcessRoom {
  const [, soft = ''] = /^Max processes\s+(\d+)/m.exec(kernelText('/proc/self/limits')) ?? [];
  return {
    groups: ownGroups().flatMap((path) => {
      const [max, current] = ['pids.max', 'pids.current'].map((name) => kernelText(join(path, name)).trim());
      return /^\d+$/.test(max ?? '') ? [{ path, max: Number(max), current: Number(current) }] : [];
    }),
    uid: process.getuid?.() ?? -1,
    rlimit: soft === '' ? null : Number(soft),
  };
}

/** That which counts processes, and all above it. */
function ownGroups(): readonly string[] {
  const rows = [...kernelText('/proc/self/cgroup').matchAll(/^\d+:([^:]*):(.*)$/gm)];
  const mounts = [
    ...kernelText('/proc/self/mountinfo').matchAll(/^\S+ \S+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$/gm),
  ];
  return mounts.flatMap(([, root = '/', mount = '', type, options = '']) => {
    if (type === 'cgroup' && !options.split(',').includes('pids')) return [];
    const own = rows.find(([, names = '']) => (type === 'cgroup2' ? names === '' : names.split(',').includes('pids')));
    const path = own?.[2] ?? '/';
    const within = root === '/' ? path : path.startsWith(root) ? path.slice(root.length) : '/';
    const found: string[] = [];
    for (let at = join(mount, within); at.startsWith(mount); at = dirname(at)) {
      found.push(at);
      if (at === mount) break;
    }
    return found;
  });
}
