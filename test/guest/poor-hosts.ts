/**
 * Hosts with control groups of version 2 that lack something: the guest, in groups and namespaces made for each. What an agent takes for the
 * root of the hierarchy is a group in which it finds itself, as in a container.
 */
import type { IsolationRung } from '../../src/model/isolation-ladder.ts';

export interface PoorHost {
  readonly name: string;
  /** What the group above hands down; default: everything. */
  readonly handed?: readonly string[];
  /** Shell, in a mount and a control group namespace of its own. */
  readonly cripple?: string;
  /** As this uid, in a group that is this user's. */
  readonly user?: number;
  readonly own: IsolationRung;
  readonly keeping: IsolationRung;
  /** Mechanisms that the doctor must say are not there. */
  readonly lost: readonly string[];
  /** Of the rung above. */
  readonly remedy?: RegExp;
  /** False: no command in it does that. Then `(control)` is what the host is with it. */
  readonly carriedOut?: boolean;
}

const all = ['cpu', 'cpuset', 'io', 'memory', 'pids'];
const without = (...names: readonly string[]): readonly string[] => all.filter((name) => !names.includes(name));
const sandbox = { own: 'sandbox', keeping: 'sandbox' } as const;
const container = { own: 'container', keeping: 'sandbox' } as const;

export const poorHosts: readonly PoorHost[] = [
  { name: '(control) nothing is missing', ...container, lost: [] },
  {
    name: 'no controller is handed down',
    handed: [],
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.pids', 'cgroup.cpu', 'cgroup.cpuset', 'cgroup.io'],
    remedy: /^have \+memory handed down to the agent/,
  },
  {
    name: 'pids is not handed down',
    handed: without('pids'),
    ...sandbox,
    lost: ['cgroup.pids'],
    remedy: /^have \+pids handed down to the agent/,
  },
  {
    name: 'cpuset and io are not handed down',
    handed: without('cpuset', 'io'),
    ...container,
    lost: ['cgroup.cpuset', 'cgroup.io'],
  },
  {
    name: 'control groups are read-only',
    cripple: 'mount -o remount,bind,ro /sys/fs/cgroup',
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.kill'],
    remedy: /mount -o remount,bind,rw/,
    carriedOut: true,
  },
  {
    name: 'no control groups are mounted',
    cripple: 'umount /sys/fs/cgroup',
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.kill'],
    remedy: /^mount -t cgroup2 none \/sys\/fs\/cgroup$/,
    carriedOut: true,
  },
  {
    name: 'processes of others are in the group',
    cripple: '(sleep 3600 &); sleep 0.1',
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.pids'],
    remedy: /^mkdir -p \/sys\/fs\/cgroup\/others && for p in/,
    carriedOut: true,
  },
  {
    name: 'a user has no group',
    cripple: 'chown 0:0 /sys/fs/cgroup /sys/fs/cgroup/cgroup.*',
    user: 61_235,
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.kill', 'runtime.runc'],
    remedy: /^run the agent as root$/,
  },
  {
    name: 'a user has a group that memory is not handed down to',
    handed: without('memory'),
    user: 61_235,
    ...sandbox,
    lost: ['cgroup.memory', 'runtime.runc'],
    remedy: /^run the agent as root$/,
  },
];

/** Shell for the guest: makes the host and looks at it, with the program of `look.ts`. */
export function lookAt(host: PoorHost, index: number, program: readonly string[], report: string): string {
  const above = `/sys/fs/cgroup/poor${index}`;
  const group = `${above}/agent`;
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const own = ['', '/cgroup.procs', '/cgroup.threads', '/cgroup.subtree_control'].map((file) => `${group}${file}`);
  const as = host.user === undefined ? '' : `setpriv --reuid ${host.user} --regid ${host.user} --clear-groups`;
  const inside = [
    'umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup',
    host.cripple ?? ':',
    `exec ${as} ${program.map(quoted).join(' ')} ${quoted(host.name)} ${report}${host.carriedOut === true ? ' carry-out' : ''}`,
  ].join('\n');
  return [
    `mkdir ${above}; for c in ${(host.handed ?? all).join(' ')}; do echo +$c >${above}/cgroup.subtree_control; done; mkdir ${group}`,
    ...(host.user === undefined ? [] : [`chown ${host.user}:${host.user} ${own.join(' ')}`]),
    `(echo 0 >${group}/cgroup.procs; exec unshare --mount --cgroup --propagation private sh -c ${quoted(inside)})`,
    `find ${above} -depth -type d -exec sh -c 'while read p; do kill -9 $p; done <"$0/cgroup.procs"; sleep 0.2; rmdir "$0"' {} \\;`,
  ].join('\n');
}
