/**
 * How a host is raised a rung: for each rung above the one it reaches the shortest way there, each step one command. Pure; what is said
 * of a host here must come true when it is done.
 */
import type { IsolationRung } from '../driver/contract.ts';
import { notOnThisSystem, onLinux } from '../model/isolation-losses.ts';
import { type GroupFacts, groupStep } from './group-remedies.ts';
import { unfitness } from './host-devices.ts';
import { type Installer, installLine } from './installers.ts';
import { rankOf } from './lines.ts';
import { ociRuntimes } from './mechanisms/oci.ts';
import type { ProbeResult } from './mechanisms/probe.ts';
import { starvedProbe } from './process-room.ts';
import { asAdministrator, type Remedy, type RemedyKind, type Step } from './remedy.ts';
import {
  type AgentFacts,
  capabilityStep,
  deviceStep,
  groundStep,
  leaveCoveredProc,
  mapperStep,
  procStep,
  startStep,
} from './start-remedies.ts';
import { giveIdsCommand, type SubordinateFacts } from './subordinate-rows.ts';

type Probes = ReadonlyMap<string, Pick<ProbeResult, 'ok' | 'errno' | 'evidence'>>;

export interface HostFacts extends GroupFacts, AgentFacts {
  readonly installer: Installer;
  /** `user.max_user_namespaces` → `"0"`; those that are not there are absent. */
  readonly sysctls: ReadonlyMap<string, string>;
  readonly hasCompiler: boolean;
  /** The script that builds the native programs of this copy; null: it was installed built. */
  readonly buildScript: string | null;
  /** The agent is in a user namespace of somebody's making: its root may do less than the host's. */
  readonly innerRoot: boolean;
  readonly subordinates: SubordinateFacts;
  /** What lets more processes be started. */
  readonly moreProcesses: Step;
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
  const first = beforeAll(probes, facts);
  if (first !== null)
    return ways.filter(({ rung }) => rankOf(rung) > rankOf(reached)).map(({ rung }) => ({ rung, remedies: [first] }));
  const climbs: Climb[] = [];
  const needed = new Map<string, Remedy>();
  for (const { rung, oneOf } of ways) {
    if (rankOf(rung) <= rankOf(reached)) continue;
    const [shortest = []] = (rung === 'container' && facts.uid !== 0 ? [...oneOf, rootlessContainer] : oneOf)
      .map((way) => way.filter((probe) => probes.get(probe)?.ok !== true))
      .map((lacking) => withoutGroupsOfRoot(distinct(lacking.map((probe) => remedyOf(probe, probes, facts)))))
      .map((remedies) => withRights(remedies, rung, facts))
      .sort((a, b) => a.length - b.length || doubt(a, facts) - doubt(b, facts));
    for (const remedy of shortest) needed.set(remedy.command, remedy);
    // each mechanism works, and a task does not start
    if (needed.size === 0 && probes.get('start')?.ok === false) {
      const remedy = remedyOf('start', probes, facts);
      needed.set(remedy.command, remedy);
    }
    if (needed.size > 0) climbs.push({ rung, remedies: [...needed.values()] });
  }
  return climbs;
}

/** What keeps any task from starting here, whatever isolates it; null: nothing that is known. */
function beforeAll(probes: Probes, facts: HostFacts): Remedy | null {
  const ground = groundStep(facts, facts.uid);
  if (ground !== null) {
    const because = facts.proc === 'missing' ? '/proc is not mounted' : unfitness(facts.unfitDevices);
    return { probe: 'start', because, ...ground };
  }
  const starved = starvedProbe(probes);
  // of root it is of a bound on tasks' users that is too tight for any task
  if (starved !== null || (facts.uid === 0 && facts.moreProcesses.kind === 'more_processes_of_user'))
    return { probe: 'processes', because: starved?.evidence ?? 'RLIMIT_NPROC', ...facts.moreProcesses };
  const start = probes.get('start');
  const step = start === undefined || start.ok ? null : startStep(start.evidence, facts, facts.uid);
  return step === null ? null : { probe: 'start', because: start?.evidence ?? '', ...step };
}

/** Of ways that are as short the one that is known to lead there, and asks for less. */
function doubt(remedies: readonly Remedy[], { installer, legacyGroups }: HostFacts): number {
  const doubts = remedies.map(({ kind, probe }) => {
    if (kind === 'unknown') return 3;
    if (kind === 'become_root') return 2;
    // they end a task, and namespaces, which do too, make a sandbox besides
    if (kind === 'give_groups' || kind.startsWith('delegate_')) return 1;
    // crun 1.8.1 bounds no memory where all hierarchies are of version 1, and starts nothing where some are
    if (kind === 'install_runtime' && probe === 'runtime.crun' && legacyGroups.length > 0) return 3;
    return kind === 'install_runtime' && probe === 'runtime.runc' && installer.dropsRunc && legacyGroups.length === 0
      ? 1
      : 0;
  });
  return Math.max(0, ...doubts);
}

function needsRoot(remedies: readonly Remedy[]): boolean {
  return remedies.some(({ kind }) => kind === 'become_root');
}

/** Root makes its own: who becomes root has to be given none. */
function withoutGroupsOfRoot(remedies: readonly Remedy[]): readonly Remedy[] {
  return needsRoot(remedies) ? remedies.filter(({ probe }) => !probe.startsWith('cgroup.')) : remedies;
}

/** Root that may make no mount has to be let first, and then finds what of /proc is covered. */
function withRights(remedies: readonly Remedy[], rung: IsolationRung, facts: HostFacts): readonly Remedy[] {
  if (!facts.lacksCapabilities.includes('SYS_ADMIN') || facts.innerRoot || remedies.length === 0) return remedies;
  const rights = capabilityStep(facts);
  const isRights = ({ kind }: Remedy): boolean => kind === 'more_capabilities';
  const mounts = remedies.some(({ kind }) => mountingKinds.includes(kind) || kind === 'more_capabilities');
  if (rights === null || !mounts) return remedies;
  const because = remedies.find(isRights) ?? { probe: 'capabilities', because: 'its root lacks CAP_SYS_ADMIN' };
  const covered = rankOf(rung) >= rankOf('sandbox') && facts.proc === 'covered';
  return [
    { ...because, ...rights },
    ...(covered ? [{ probe: 'mounts', because: 'parts of /proc are covered', ...leaveCoveredProc }] : []),
    ...remedies.filter((each) => !isRights(each)),
  ];
}

const mountingKinds: readonly RemedyKind[] = ['make_groups_writable', 'mount_groups', 'mount_proc'];

function distinct(remedies: readonly Remedy[]): readonly Remedy[] {
  return [...new Map(remedies.map((each) => [each.command, each])).values()];
}

const programs = {
  'runtime.bwrap': 'bwrap',
  'runtime.runc': 'runc',
  'runtime.crun': 'crun',
  'runtime.unshare': 'unshare',
} as const;

function remedyOf(probe: string, probes: Probes, facts: HostFacts): Remedy {
  const result = probes.get(probe);
  const because = result?.evidence || 'not probed';
  return { probe, because, ...stepFor(probe, because, probes, facts) };
}

const step = (kind: RemedyKind, command: string): Step => ({ kind, command });

const outside = (what: string): string =>
  `run the agent where nothing around it (an outer container, a unit with a filter) forbids ${what}`;

function stepFor(probe: string, because: string, probes: Probes, facts: HostFacts): Step {
  if (because === notOnThisSystem) return step('linux', onLinux);
  const program = programs[probe as keyof typeof programs] as (typeof programs)[keyof typeof programs] | undefined;
  if (program !== undefined && because.includes('not installed'))
    return step('install_runtime', install(facts, program));
  if (because.includes('not built')) return buildStep(facts);
  const device = deviceStep(because, facts, facts.uid);
  if (device !== null) return device;
  if (probe === 'reachable')
    return step('open_directory', /chmod o\+x \S+/.exec(because)?.[0].replace(/,$/, '') ?? 'another data_dir');
  if (because.includes('needs root')) return step('become_root', 'run the agent as root');
  if (probe === 'subordinate_ids')
    return mapperStep(because, facts, facts.uid) ?? step('give_ids', subordinateCommand(facts));
  // whatever stopped it first: rules of devices only the host's own root may set
  if (facts.innerRoot && ociRuntimes.some((runtime) => probe === `runtime.${runtime}`))
    return step('leave_user_namespace', "run the agent in the host's own user namespace");
  if ((program !== undefined || probe === 'start') && probes.get('reachable')?.ok === false) {
    return stepFor('reachable', probes.get('reachable')?.evidence ?? '', probes, facts);
  }
  // a runtime too makes its groups in the same hierarchies
  if (probe.startsWith('cgroup.') || /\bcgroup (configuration|mount|root)|statfs .*cgroup/.test(because))
    return groupStep(probe, because, facts);
  if (program !== undefined && /not implemented|ENOSYS/i.test(because))
    return step('newer_kernel', 'run the agent on Linux 5.12 or newer, with nothing around it that hides system calls');
  const capabilities = facts.innerRoot ? null : capabilityStep(facts);
  if (capabilities !== null && (program !== undefined || /spawn EPERM|lacks CAP_/.test(because))) return capabilities;
  const proc = program === undefined ? null : procStep(because, facts, facts.uid);
  if (proc !== null) return proc;
  if (probe === 'seccomp' || probe === 'capabilities' || probe === 'no_new_privs')
    return step('leave_outer_filter', outside('seccomp filters'));
  const blocked = [...probes].find(([each, { ok }]) => each.startsWith('namespace.') && !ok);
  if (blocked !== undefined) return namespaceStep(blocked[1].evidence, facts);
  return step('unknown', `make it work: ${because}`);
}

function install({ installer, uid }: HostFacts, program: Parameters<typeof installLine>[1]): string {
  const line = installLine(installer, program);
  return installer.command === '' ? line : asAdministrator(uid, line);
}

function buildStep(facts: HostFacts): Step {
  const { buildScript, hasCompiler } = facts;
  if (buildScript === null)
    return step(
      'build_elsewhere',
      'build the native programs where there is a C compiler: npm run build in a checkout',
    );
  return step('build_programs', `${hasCompiler ? '' : `${install(facts, 'cc')} && `}node ${buildScript}`);
}

function subordinateCommand(facts: HostFacts): string {
  const { subordinates, uid } = facts;
  const mappers = subordinates.hasProgram ? [] : [install(facts, 'newuidmap')];
  const given = giveIdsCommand(subordinates).split(' && ');
  return [...mappers, ...given.map((command) => asAdministrator(uid, command))].join(' && ');
}

/** Settings that close a kind of namespace to everybody, or to programs that are not root. */
export const namespaceSwitches: readonly (readonly [name: string, blocking: string, open: string])[] = [
  ...['user', 'pid', 'mnt', 'ipc', 'uts', 'net', 'cgroup'].map(
    (kind) => [`user.max_${kind}_namespaces`, '0', '31138'] as const,
  ),
  ['kernel.unprivileged_userns_clone', '0', '1'],
  ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
];

function namespaceStep(because: string, facts: HostFacts): Step {
  const closed = namespaceSwitches.filter(([name, blocking]) => facts.sysctls.get(name) === blocking);
  if (closed.length > 0) {
    const values = closed.map(([name, , open]) => `${name}=${open}`);
    return step('open_namespaces', asAdministrator(facts.uid, `sysctl -w ${values.join(' ')}`));
  }
  if (/^spawn |ENOENT/.test(because)) return step('install_runtime', install(facts, 'unshare'));
  return step('leave_outer_ban', outside('user namespaces'));
}
