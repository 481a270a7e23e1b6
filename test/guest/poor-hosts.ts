/**
 * Hosts with control groups of version 2 that lack something: the guest, in groups and namespaces made for each. What an agent takes for the
 * root of the hierarchy is a group in which it finds itself, as in a container.
 */
import type { IsolationRung } from '../../src/model/isolation-ladder.ts';
import { hide, installable, named, ownEtc, sudo } from '../security/crippled-hosts.ts';
import { advises, type WantedRemedy } from '../wanted-remedy.ts';

export interface PoorHost {
  readonly name: string;
  /** What the group above hands down; default: everything. */
  readonly handed?: readonly string[];
  /** Shell, in a mount and a control group namespace of its own. */
  readonly cripple?: string;
  /** As this uid, in a group that is this user's. */
  readonly user?: number;
  /** True: in no group of its own, beside everything else that the guest runs. */
  readonly outside?: boolean;
  readonly own: IsolationRung;
  readonly keeping: IsolationRung;
  /** Mechanisms that the doctor must say are not there. */
  readonly lost: readonly string[];
  /** Of the rung above. */
  readonly remedy?: WantedRemedy;
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
    remedy: advises('hand_controllers_down', /^have \+memory handed down to the agent/),
  },
  {
    name: 'pids is not handed down',
    handed: without('pids'),
    ...sandbox,
    lost: ['cgroup.pids'],
    remedy: advises('hand_controllers_down', /^have \+pids handed down to the agent/),
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
    remedy: advises('make_groups_writable', /mount -o remount,bind,rw/),
    carriedOut: true,
  },
  {
    name: 'no control groups are mounted',
    cripple: 'umount /sys/fs/cgroup',
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.kill'],
    remedy: advises('mount_groups', /^mount -t cgroup2 none \/sys\/fs\/cgroup$/),
    carriedOut: true,
  },
  {
    name: 'processes of others are in the group',
    cripple: '(sleep 3600 &); sleep 0.1',
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.pids'],
    remedy: advises('leave_shared_group', /^mkdir -p \/sys\/fs\/cgroup\/others && for p in/),
    carriedOut: true,
  },
  {
    name: 'a user has no group',
    cripple: 'chown 0:0 /sys/fs/cgroup /sys/fs/cgroup/cgroup.*',
    user: 61_235,
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.kill', 'runtime.runc'],
    remedy: advises('become_root', /^run the agent as root$/),
  },
  {
    name: 'a user has a group that memory is not handed down to',
    handed: without('memory'),
    user: 61_235,
    ...sandbox,
    lost: ['cgroup.memory', 'runtime.runc'],
    remedy: advises('become_root', /^run the agent as root$/),
  },
  {
    name: 'Fedora without an OCI runtime',
    cripple: [
      installable('crun', 'crun', 'dnf'),
      hide('crun', 'runc'),
      "printf 'ID=fedora\\n' >$BIN/release; mount --bind $BIN/release /etc/os-release",
    ].join('; '),
    ...sandbox,
    lost: ['runtime.runc', 'runtime.crun'],
    remedy: advises('install_runtime', /^dnf install -y crun$/),
    carriedOut: true,
  },
  {
    name: 'a user to whom user namespaces are closed',
    cripple: `${sudo}; sysctl -w kernel.unprivileged_userns_clone=0`,
    user: 61_235,
    own: 'process',
    keeping: 'process',
    lost: ['namespace.user'],
    remedy: advises('open_namespaces', /^sudo sysctl -w kernel\.unprivileged_userns_clone=1$/),
    carriedOut: true,
  },
  {
    name: 'a user with ids has no group, and systemd is not there',
    cripple: `${ownEtc('drover-test:1700000000:65536\\n')}; ${sudo}`,
    user: named,
    outside: true,
    ...sandbox,
    lost: ['cgroup.memory', 'cgroup.pids'],
    remedy: advises('give_groups', /^sudo sh -c 'd=\/sys\/fs\/cgroup; .* && exec drover agent …$/),
    carriedOut: true,
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
    ...(host.outside === true ? [] : ['umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup']),
    `export SUDO_SECONDS=900 BIN=/run/poor${index}; mkdir -m 777 $BIN; export PATH=$BIN:$PATH`,
    host.cripple ?? ':',
    `exec ${as} ${program.map(quoted).join(' ')} ${quoted(host.name)} ${report}${host.carriedOut === true ? ' carry-out' : ''}`,
  ].join('\n');
  if (host.outside === true)
    return `unshare --mount --propagation private sh -c ${quoted(inside)}; rmdir /sys/fs/cgroup/drover-tasks/* /sys/fs/cgroup/drover-tasks`;
  return [
    `mkdir ${above}; for c in ${(host.handed ?? all).join(' ')}; do echo +$c >${above}/cgroup.subtree_control; done; mkdir ${group}`,
    ...(host.user === undefined ? [] : [`chown ${host.user}:${host.user} ${own.join(' ')}`]),
    `(echo 0 >${group}/cgroup.procs; exec unshare --mount --cgroup --propagation private sh -c ${quoted(inside)})`,
    `find ${above} -depth -type d -exec sh -c 'while read p; do kill -9 $p; done <"$0/cgroup.procs"; sleep 0.2; rmdir "$0"' {} \\;`,
  ].join('\n');
}
