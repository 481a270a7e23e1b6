/** What gives an agent control groups that bound and end its tasks. Pure. */
import { sharedGroup } from './cgroup/hierarchy.ts';
import { asAdministrator, type Step, scriptAsAdministrator } from './remedy.ts';

export interface GroupFacts {
  readonly uid: number;
  /** Controllers that the kernel has in hierarchies of version 1, by hierarchy, that are mounted nowhere: `["memory", "cpu,cpuacct"]`. */
  readonly unmounted: readonly string[];
  /** False: there is not even a place for them, for /sys is not mounted. */
  readonly cgroupPlace: boolean;
  /** A directory is at /sys/fs/cgroup that hierarchies can be mounted below. */
  readonly cgroupRoot: boolean;
  /** Controllers that the kernel was booted without: `["memory"]`. */
  readonly disabled: readonly string[];
  /** Where hierarchies of version 1 are mounted that bound and end tasks: `["/sys/fs/cgroup/memory", …]`. */
  readonly legacyGroups: readonly string[];
  /** Of the mounts of hierarchies one takes no writes: who has no right to write is not told so. */
  readonly readOnlyGroups: boolean;
  /** systemd is this host's first process. */
  readonly systemd: boolean;
  /** Controllers that the agent's user's own systemd hands down: `["cpu", "memory", "pids"]`; empty: it does not run. */
  readonly userManager: readonly string[];
  /** The agent's environment leads to it. */
  readonly runtimeDirectory: boolean;
}

/** Hierarchies that are there and mounted nowhere: of `/proc/cgroups` and `/proc/self/mountinfo`. Source: cgroups(7). */
export function unmountedHierarchies(cgroups: string, mountinfo: string): readonly string[] {
  const byNumber = new Map<string, string[]>();
  for (const row of cgroups.split('\n')) {
    const [, name = '', number = '0'] = /^(\w+)\s+(\d+)/.exec(row) ?? [];
    if (number !== '0') byNumber.set(number, [...(byNumber.get(number) ?? []), name]);
  }
  const mounted = [...mountinfo.matchAll(/ - cgroup \S+ (\S+)$/gm)].flatMap(([, options = '']) => options.split(','));
  return [...byNumber.values()]
    .filter((names) => !names.some((name) => mounted.includes(name)))
    .map((names) => names.join(','));
}

/** Of `/proc/self/mountinfo`. */
export function legacyGroups(mountinfo: string): readonly string[] {
  const mounts = [...mountinfo.matchAll(/ (\/\S+) \S+ .*- cgroup \S+ (\S+)$/gm)];
  return mounts
    .filter(([, , options = '']) => options.split(',').some((name) => /^(cpu|cpuset|memory|pids|freezer)$/.test(name)))
    .map(([, path = '']) => path);
}

/** Of the kernel's command line. Source: its kernel-parameters.txt. */
export function disabledControllers(commandLine: string): readonly string[] {
  return [...commandLine.matchAll(/\bcgroup_disable=(\S+)/g)].flatMap(([, names = '']) => names.split(','));
}

/** Of `/proc/self/mountinfo`. */
export function readOnlyGroups(mountinfo: string): boolean {
  return /^\S+ \S+ \S+ \S+ \S+ ro\b.* - cgroup2? /m.test(mountinfo);
}

const writable = 'for d in $(findmnt -rno TARGET -t cgroup,cgroup2); do mount -o remount,bind,rw "$d"; done';

export function groupStep(probe: string, because: string, facts: GroupFacts): Step {
  const { uid, unmounted, cgroupRoot, cgroupPlace, disabled } = facts;
  const place = cgroupPlace ? '' : 'mount -t sysfs none /sys && ';
  if (uid === 0 && /EROFS|read-only/i.test(because)) return { kind: 'make_groups_writable', command: writable };
  const [, shared] = new RegExp(`${sharedGroup}: ([^\\s;]+)`).exec(because) ?? [];
  if (shared !== undefined)
    return {
      kind: 'leave_shared_group',
      command: `mkdir -p ${shared}/others && for p in $(cat ${shared}/cgroup.procs); do echo $p >${shared}/others/cgroup.procs; done`,
    };
  if (uid !== 0) {
    const { kind, command } = giveGroups(facts);
    return { kind, command: facts.readOnlyGroups ? `${scriptAsAdministrator(uid, writable)} && ${command}` : command };
  }
  const wanted = disabled.filter((name) => probe === `cgroup.${name}` || !probe.startsWith('cgroup.'));
  if (wanted.length > 0)
    return {
      kind: 'boot_with_controllers',
      command: `take cgroup_disable=${wanted.join(',')} off the kernel's command line and boot; where firmware adds it, add cgroup_enable=${wanted.join(',')}`,
    };
  if (unmounted.length > 0) {
    const root = cgroupRoot ? '' : 'mount -t tmpfs none /sys/fs/cgroup && ';
    const each = 'mkdir -p /sys/fs/cgroup/$c && mount -t cgroup -o $c none /sys/fs/cgroup/$c';
    return { kind: 'mount_groups', command: `${place}${root}for c in ${unmounted.join(' ')}; do ${each}; done` };
  }
  if (/no cgroup (file system|mount)/.test(because))
    return { kind: 'mount_groups', command: `${place}mount -t cgroup2 none /sys/fs/cgroup` };
  return {
    kind: 'hand_controllers_down',
    command: `have ${controllersOf(probe)} handed down to the agent: written to cgroup.subtree_control of every group above its own`,
  };
}

/** How the agent is started there; `…`: its own arguments. */
const agent = 'drover agent …';
const wanted = ['cpu', 'memory', 'pids'];

function giveGroups(facts: GroupFacts): Step {
  const { legacyGroups, systemd, userManager, uid, runtimeDirectory } = facts;
  if (legacyGroups.length > 0) return giveLegacyGroups(facts);
  if (!systemd) return giveGroup(uid);
  if (wanted.every((name) => userManager.includes(name))) {
    const environment = runtimeDirectory ? '' : `XDG_RUNTIME_DIR=/run/user/${uid} `;
    return {
      kind: 'delegate_by_user_manager',
      command: `${environment}systemd-run --user --scope -p Delegate=yes ${agent}`,
    };
  }
  const properties = '-p Delegate=yes -p KillMode=process';
  return {
    kind: 'delegate_by_system_manager',
    command: asAdministrator(uid, `systemd-run --uid=${uid} ${properties} ${agent}`),
  };
}

/** From the shell that then starts the agent: it is put into groups of its user's. */
function giveLegacyGroups({ legacyGroups, uid }: GroupFacts): Step {
  const each = [
    'g=$d/drover-tasks',
    'mkdir -p $g',
    'for f in cpuset.cpus cpuset.mems; do [ ! -e $d/$f ] || cat $d/$f >$g/$f; done',
    `chown ${uid} $g $g/cgroup.procs $g/tasks`,
    'echo $1 >$g/cgroup.procs',
  ];
  const script = `for d in ${legacyGroups.join(' ')}; do ${each.join('; ')}; done`;
  return { kind: 'give_groups', command: scriptAsAdministrator(uid, script, ' sh $$') };
}

/** The shell becomes the agent: a group of version 2 that hands controllers down holds no other process. */
function giveGroup(uid: number): Step {
  const script = [
    'd=/sys/fs/cgroup; g=$d/drover-tasks; mkdir -p $g',
    `for c in ${wanted.join(' ')}; do echo +$c >$d/cgroup.subtree_control; done`,
    `chown ${uid} $g $g/cgroup.procs $g/cgroup.threads $g/cgroup.subtree_control; echo $1 >$g/cgroup.procs`,
  ].join('; ');
  return { kind: 'give_groups', command: `${scriptAsAdministrator(uid, script, ' sh $$')} && exec ${agent}` };
}

function controllersOf(probe: string): string {
  const [, name = ''] = /^cgroup\.(memory|pids|cpu)$/.exec(probe) ?? [];
  return name === '' ? '+cpu +memory +pids' : `+${name}`;
}
