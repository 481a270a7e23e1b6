/**
 * How a host is raised a rung: for each rung above the one it reaches the shortest way there, each step one command. Pure; what is said
 * of a host here must come true when it is done.
 */
import type { IsolationRung } from '../driver/contract.ts';
import { notOnThisSystem, onLinux } from '../model/isolation-losses.ts';
import { sharedGroup } from './cgroup/hierarchy.ts';
import { rankOf } from './lines.ts';
import { ociRuntimes } from './mechanisms/oci.ts';
import type { ProbeResult } from './mechanisms/probe.ts';
import { starvedProbe } from './process-room.ts';
import { giveIdsCommand, type SubordinateFacts } from './subordinate-rows.ts';

type Probes = ReadonlyMap<string, Pick<ProbeResult, 'ok' | 'errno' | 'evidence'>>;

export interface HostFacts {
  readonly uid: number;
  /** `"apt-get install -y"`; empty: nobody knows how programs are installed here. */
  readonly installer: string;
  /** `user.max_user_namespaces` → `"0"`; those that are not there are absent. */
  readonly sysctls: ReadonlyMap<string, string>;
  readonly hasCompiler: boolean;
  /** Controllers that the kernel has in hierarchies of version 1, by hierarchy, that are mounted nowhere: `["memory", "cpu,cpuacct"]`. */
  readonly unmounted: readonly string[];
  /** A directory is at /sys/fs/cgroup that hierarchies can be mounted below. */
  readonly cgroupRoot: boolean;
  /** Controllers that the kernel was booted without: `["memory"]`. */
  readonly disabled: readonly string[];
  /** The agent is in a user namespace of somebody's making: its root may do less than the host's. */
  readonly innerRoot: boolean;
  readonly subordinates: SubordinateFacts;
  /** What lets more processes be started. */
  readonly moreProcesses: string;
  /** Where hierarchies of version 1 are mounted that bound and end tasks: `["/sys/fs/cgroup/memory", …]`. */
  readonly legacyGroups: readonly string[];
}

export interface Remedy {
  readonly probe: string;
  readonly because: string;
  /** A command line, or one sentence where no command does it. */
  readonly command: string;
}

/** All of them together raise the host to the rung. */
export interface Climb {
  readonly rung: IsolationRung;
  readonly remedies: readonly Remedy[];
}

/** Probes that must have worked; of several ways one is enough. Each rung wants those below too. */
const ways: readonly { readonly rung: IsolationRung; readonly oneOf: readonly (readonly string[])[] }[] = [
  {
    rung: 'process',
    oneOf: [
      ['native_shim', 'no_new_privs', 'capabilities', 'cgroup.kill'],
      ['native_shim', 'no_new_privs', 'capabilities', 'namespace.pid'],
    ],
  },
  {
    rung: 'sandbox',
    oneOf: [
      ['seccomp', 'runtime.bwrap', 'reachable'],
      ['seccomp', 'runtime.unshare', 'reachable'],
      ['seccomp', 'runtime.runc'],
      ['seccomp', 'runtime.crun'],
    ],
  },
  {
    rung: 'container',
    oneOf: [
      ['cgroup.memory', 'cgroup.pids', 'cgroup.cpu', 'reachable', 'runtime.runc'],
      ['cgroup.memory', 'cgroup.pids', 'cgroup.cpu', 'reachable', 'runtime.crun'],
    ],
  },
];

/** Of an agent without root: a task with ids of its own and a group that bounds it. */
const rootlessContainer = ['cgroup.memory', 'cgroup.pids', 'cgroup.cpu', 'subordinate_ids', 'runtime.bwrap'];

/** `reached`: what a trial task really got. */
export function climbsFrom(reached: IsolationRung, probes: Probes, facts: HostFacts): readonly Climb[] {
  const starved = starvedProbe(probes);
  if (starved !== null) {
    const remedy = { probe: 'processes', because: starved.evidence, command: facts.moreProcesses };
    return ways.filter(({ rung }) => rankOf(rung) > rankOf(reached)).map(({ rung }) => ({ rung, remedies: [remedy] }));
  }
  const climbs: Climb[] = [];
  const needed = new Map<string, Remedy>();
  for (const { rung, oneOf } of ways) {
    if (rankOf(rung) <= rankOf(reached)) continue;
    const [shortest = []] = (rung === 'container' && facts.uid !== 0 ? [...oneOf, rootlessContainer] : oneOf)
      .map((way) => way.filter((probe) => probes.get(probe)?.ok !== true))
      .map((lacking) => withoutGroupsOfRoot(distinct(lacking.map((probe) => remedyOf(probe, probes, facts)))))
      .sort((a, b) => a.length - b.length || Number(needsRoot(a)) - Number(needsRoot(b)));
    for (const remedy of shortest) needed.set(remedy.command, remedy);
    if (needed.size > 0) climbs.push({ rung, remedies: [...needed.values()] });
  }
  return climbs;
}

function needsRoot(remedies: readonly Remedy[]): boolean {
  return remedies.some(({ command }) => command === asRoot);
}

/** Root makes its own: who becomes root has to be given none. */
function withoutGroupsOfRoot(remedies: readonly Remedy[]): readonly Remedy[] {
  return needsRoot(remedies) ? remedies.filter(({ probe }) => !probe.startsWith('cgroup.')) : remedies;
}

function distinct(remedies: readonly Remedy[]): readonly Remedy[] {
  return [...new Map(remedies.map((each) => [each.command, each])).values()];
}

const packages: { readonly [probe: string]: string } = {
  'runtime.bwrap': 'bubblewrap',
  'runtime.runc': 'runc',
  'runtime.crun': 'crun',
  'runtime.unshare': 'util-linux',
};

function remedyOf(probe: string, probes: Probes, facts: HostFacts): Remedy {
  const result = probes.get(probe);
  const because = result?.evidence || 'not probed';
  return { probe, because, command: commandFor(probe, because, probes, facts) };
}

const asRoot = 'run the agent as root';
const outside = "run the agent in the host's own user namespace";

function commandFor(probe: string, because: string, probes: Probes, facts: HostFacts): string {
  if (because === notOnThisSystem) return onLinux;
  const name = packages[probe];
  if (name !== undefined && because.includes('not installed')) return install(facts, name);
  if (because.includes('not built')) {
    return facts.hasCompiler ? 'npm run build' : `${install(facts, 'gcc libc6-dev')} && npm run build`;
  }
  if (probe === 'reachable') return /chmod o\+x \S+/.exec(because)?.[0].replace(/,$/, '') ?? 'another data_dir';
  if (because.includes('needs root')) return asRoot;
  if (probe === 'subordinate_ids') return subordinateCommand(facts);
  // whatever stopped it first: rules of devices only the host's own root may set
  if (facts.innerRoot && ociRuntimes.some((runtime) => probe === `runtime.${runtime}`)) return outside;
  if (name !== undefined && probes.get('reachable')?.ok === false) {
    return commandFor('reachable', probes.get('reachable')?.evidence ?? '', probes, facts);
  }
  // a runtime too makes its groups in the same hierarchies
  if (probe.startsWith('cgroup.') || /\bcgroup (configuration|mount)/.test(because))
    return cgroupCommand(probe, because, facts);
  if (probe === 'seccomp' || probe === 'capabilities' || probe === 'no_new_privs') {
    return 'run the agent where nothing around it (an outer container, a unit with a filter) forbids seccomp filters';
  }
  const blocked = [...probes].find(([each, { ok }]) => each.startsWith('namespace.') && !ok);
  if (blocked !== undefined) return namespaceCommand(blocked[1].evidence, facts);
  return `make it work: ${because}`;
}

function install(facts: HostFacts, what: string): string {
  return facts.installer === '' ? `install ${what}` : asAdministrator(facts, `${facts.installer} ${what}`);
}

function asAdministrator({ uid }: HostFacts, command: string): string {
  return `${uid === 0 ? '' : 'sudo '}${command}`;
}

/** What brings newuidmap, where it is not called `uidmap`. */
const mapPackages: { readonly [installer: string]: string } = {
  'dnf install -y': 'shadow-utils',
  'apk add': 'shadow shadow-uidmap',
  'pacman -S': 'shadow',
  'zypper install -y': 'shadow',
};

function subordinateCommand(facts: HostFacts): string {
  const { subordinates, installer } = facts;
  const programs = subordinates.hasProgram ? [] : [install(facts, mapPackages[installer] ?? 'uidmap')];
  const given = giveIdsCommand(subordinates).split(' && ');
  return [...programs, ...given.map((command) => asAdministrator(facts, command))].join(' && ');
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

function cgroupCommand(probe: string, because: string, facts: HostFacts): string {
  const { uid, unmounted, cgroupRoot, disabled } = facts;
  if (/EROFS|read-only/i.test(because))
    return 'for d in $(findmnt -rno TARGET -t cgroup,cgroup2); do mount -o remount,bind,rw "$d"; done';
  const [, shared] = new RegExp(`${sharedGroup}: ([^\\s;]+)`).exec(because) ?? [];
  if (shared !== undefined)
    return `mkdir -p ${shared}/others && for p in $(cat ${shared}/cgroup.procs); do echo $p >${shared}/others/cgroup.procs; done`;
  if (uid !== 0) return giveGroups(facts);
  const wanted = disabled.filter((name) => probe === `cgroup.${name}` || !probe.startsWith('cgroup.'));
  if (wanted.length > 0)
    return `take cgroup_disable=${wanted.join(',')} off the kernel's command line and boot; where firmware adds it, add cgroup_enable=${wanted.join(',')}`;
  if (unmounted.length > 0) {
    const root = cgroupRoot ? '' : 'mount -t tmpfs none /sys/fs/cgroup && ';
    const each = 'mkdir -p /sys/fs/cgroup/$c && mount -t cgroup -o $c none /sys/fs/cgroup/$c';
    return `${root}for c in ${unmounted.join(' ')}; do ${each}; done`;
  }
  if (/no cgroup (file system|mount)/.test(because)) return 'mount -t cgroup2 none /sys/fs/cgroup';
  return `have ${controllersOf(probe)} handed down to the agent: written to cgroup.subtree_control of every group above its own`;
}

/** From the shell that then starts the agent: it is put into groups of its user's. Elsewhere that is a service manager's to do. */
function giveGroups(facts: HostFacts): string {
  const { legacyGroups, uid } = facts;
  if (legacyGroups.length === 0)
    return 'run the agent by a unit or scope with Delegate=yes: systemd-run --user --scope -p Delegate=yes drover agent …';
  const each = [
    'g=$d/drover-tasks',
    'mkdir -p $g',
    'for f in cpuset.cpus cpuset.mems; do [ ! -e $d/$f ] || cat $d/$f >$g/$f; done',
    `chown ${uid} $g $g/cgroup.procs $g/tasks`,
    'echo $1 >$g/cgroup.procs',
  ];
  return asAdministrator(facts, `sh -c 'for d in ${legacyGroups.join(' ')}; do ${each.join('; ')}; done' sh $$`);
}

function controllersOf(probe: string): string {
  const [, name = ''] = /^cgroup\.(memory|pids|cpu)$/.exec(probe) ?? [];
  return name === '' ? '+cpu +memory +pids' : `+${name}`;
}

/** Settings that close a kind of namespace to everybody, or to programs that are not root. */
export const namespaceSwitches: readonly (readonly [name: string, blocking: string, open: string])[] = [
  ...['user', 'pid', 'mnt', 'ipc', 'uts', 'net', 'cgroup'].map(
    (kind) => [`user.max_${kind}_namespaces`, '0', '31138'] as const,
  ),
  ['kernel.unprivileged_userns_clone', '0', '1'],
  ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
];

function namespaceCommand(because: string, facts: HostFacts): string {
  const closed = namespaceSwitches.filter(([name, blocking]) => facts.sysctls.get(name) === blocking);
  if (closed.length > 0) return `sysctl -w ${closed.map(([name, , open]) => `${name}=${open}`).join(' ')}`;
  if (/^spawn |ENOENT/.test(because)) return install(facts, 'util-linux');
  return 'run the agent where nothing around it (an outer container, a unit with a filter) forbids user namespaces';
}
