/** Why no more processes can be started here, and what lets more be: a start that met EAGAIN says it with its error. */
import { dirname, join } from 'node:path';
import { kernelText } from '../lib/node/kernel-file.ts';
import { type Step, scriptAsAdministrator } from './remedy.ts';

export interface ProcessRoom {
  /** The agent's own groups and those above, where they are bounded. */
  readonly groups: readonly { readonly path: string; readonly max: number; readonly current: number }[];
  readonly uid: number;
  /** Soft limit of processes of this user; null: none. */
  readonly rlimit: number | null;
}

/** Of an error, or of what a program that met it said. */
function lacksProcesses(text: string): boolean {
  return /EAGAIN|resource temporarily unavailable/i.test(text);
}

/** A probe that could start no process has found out nothing of its mechanism; null: each could. */
export function starvedProbe<T extends { readonly ok: boolean; readonly evidence: string }>(
  probes: ReadonlyMap<string, T>,
): T | null {
  // that of a bound on processes works where its child is refused more of them
  return [...probes.values()].find(({ ok, evidence }) => !ok && lacksProcesses(evidence)) ?? null;
}

/** `null`: `message` is of something else. Pure. */
export function processAdvice(message: string, look: () => ProcessRoom): string | null {
  if (!lacksProcesses(message)) return null;
  const room = look();
  const group = fullGroup(room);
  const why =
    group !== null
      ? `${group.path} has ${group.current} of ${group.max}; raise its pids.max (of a unit: TasksMax=)`
      : isTight(room)
        ? `${whoMay(room)} have ${room.rlimit}; raise its limit (ulimit -u, of a unit: LimitNPROC=)`
        : 'raise kernel.pid_max or kernel.threads-max';
  return `no more processes can be started: ${why}`;
}

export function moreProcesses(room: ProcessRoom): Step {
  const { uid, rlimit } = room;
  const group = fullGroup(room);
  if (group !== null)
    return {
      kind: 'more_processes_of_group',
      command: scriptAsAdministrator(uid, `echo max >${group.path}/pids.max`),
    };
  return isTight(room)
    ? {
        kind: 'more_processes_of_user',
        command: `let ${uid === 0 ? 'users of tasks' : `uid ${uid}`} have more than ${rlimit} processes (ulimit -u, of a unit: LimitNPROC=)`,
      }
    : { kind: 'more_processes_of_host', command: 'sysctl -w kernel.pid_max=4194304 kernel.threads-max=1000000' };
}

/** What root starts as others it starts with its own limit, which counts for each of them. */
const fewestOfTask = 32;

function isTight({ uid, rlimit }: ProcessRoom): boolean {
  return rlimit !== null && (uid !== 0 || rlimit < fewestOfTask);
}

const whoMay = ({ uid }: ProcessRoom): string => (uid === 0 ? 'a user of tasks may' : `uid ${uid} may`);

/** The fullest; of what was full a moment ago processes may have ended since. Null: it is the user's own limit that counts. */
function fullGroup(room: ProcessRoom): ProcessRoom['groups'][number] | null {
  const [group] = [...room.groups].sort((a, b) => a.max - a.current - (b.max - b.current));
  if (group === undefined) return null;
  return !isTight(room) || group.max - group.current < 16 ? group : null;
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
