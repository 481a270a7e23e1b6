/** What a report says was lost of what its task could have had, and what would bring it back. */
import { allLines, type IsolationRung, linesOf, rankOf, rungs } from './isolation-ladder.ts';

interface Seen {
  readonly name: string;
  readonly state: string;
  readonly evidence: string;
}

export interface IsolationLoss {
  readonly name: string;
  readonly evidence: string;
  /** One line, for the operator of the node. */
  readonly fix: string;
}

/**
 * What the node lacks for it, then the lines up to `wanted` that are not there. A line the job itself gave up (`not_asked`) ends the climb:
 * it is no loss.
 */
export function isolationLosses(wanted: IsolationRung, mechanisms: readonly Seen[]): readonly IsolationLoss[] {
  const byName = new Map(mechanisms.map((each) => [each.name, each]));
  // a line that nobody looked at there is no more to be had than those that were
  const unseen = mechanisms.some(({ evidence }) => evidence === notOnThisSystem) ? notOnThisSystem : 'not checked';
  const losses: IsolationLoss[] = mechanisms
    .filter(({ name, state }) => state === 'unavailable' && !allLines.includes(name))
    .map(({ name, evidence }) => ({ name, evidence, fix: fixOf(name, evidence) }));
  for (const rung of rungs.slice(0, rankOf(wanted) + 1)) {
    if (linesOf[rung].some((line) => byName.get(line)?.state === 'not_asked')) break;
    for (const line of linesOf[rung]) {
      const found = byName.get(line);
      if (found?.state === 'verified') continue;
      const evidence = found?.evidence ?? unseen;
      losses.push({ name: line, evidence, fix: fixOf(line, unseen === notOnThisSystem ? unseen : evidence) });
    }
  }
  return losses;
}

const ownIds = "give the agent's user subordinate ids (/etc/subuid, /etc/subgid, newuidmap), or run the agent as root";

const fixes: { readonly [line: string]: string } = {
  native_shim: 'build the native supervisor (npm run build with a C compiler)',
  'runtime.bwrap': 'install bubblewrap, and allow user namespaces',
  'runtime.runc': 'install runc, and run the agent as root',
  landlock: 'a kernel from 5.19 on with CONFIG_SECURITY_LANDLOCK, and landlock among lsm= of its command line',
  processors: 'a writable cpuset controller (run as root, or with Delegate=yes)',
  capabilities: 'build the native verifier; an outer container must let capabilities be dropped',
  reachable: 'let others pass the directories above data_dir (chmod o+x), or choose another data_dir',
  session: 'build the native supervisor (npm run build with a C compiler)',
  kill_unit: 'a writable cgroup (run as root, or with Delegate=yes), or user namespaces',
  pids_limit: 'a writable pids controller (run as root, or with Delegate=yes)',
  memory_limit: 'a writable memory controller (run as root, or with Delegate=yes)',
  not_root: 'name another user, or run the agent as root so that each task gets its own uid',
  own_uid: 'run the agent as root so that each task gets its own uid',
  descriptors: 'build the native supervisor (npm run build with a C compiler)',
  no_new_privs: 'build the native verifier (npm run build with a C compiler)',
  mount_namespace: 'install bubblewrap, and allow user namespaces',
  read_only_system: 'install bubblewrap, and allow user namespaces',
  pid_namespace: 'install bubblewrap, and allow user namespaces',
  ipc_namespace: 'install bubblewrap, and allow user namespaces',
  uts_namespace: 'install bubblewrap, and allow user namespaces',
  empty_capabilities: 'build the native verifier; an outer container must let capabilities be dropped',
  seccomp: 'a kernel with CONFIG_SECCOMP_FILTER, the native verifier, and no outer filter that forbids one',
  unique_uid: ownIds,
  network_namespace: 'install runc, and network { mode = "none" } or "bridge" in the group',
  network_policy: 'network { mode = "none" } or "bridge" in the group, and the default client { egress_policy }',
  cgroup_namespace: 'install bubblewrap, and allow user namespaces',
  cgroup_limits: 'writable memory, pids and cpu controllers (run as root, or with Delegate=yes)',
  user_namespace: ownIds,
  subordinate_ids: ownIds,
  devices: 'install runc, and run the agent as root',
  masked_proc: 'install bubblewrap, and allow user namespaces',
  root_file_system: 'install bubblewrap or runc',
  disk_quota:
    'a file system with quotas of projects for data_dir (ext4 or xfs, mounted with prjquota), and run the agent as root; drover doctor on the node',
  no_core_dumps:
    'a driver whose tasks run in our own sandbox, without core_dumps = true; LimitCORE=infinity for an agent that has none',
  second_kernel: 'a runtime with a kernel of its own (runsc, kata)',
  hardware_virtualisation: 'a driver that runs virtual machines, on a host with /dev/kvm',
};

/** The evidence of each mechanism where the agent is not on Linux. */
export const notOnThisSystem = 'not on this system';
export const onLinux = 'run the agent on Linux, or in a virtual machine with it';

/** What brings a line back, in general; `drover doctor` on the node names the command. `evidence`: why it is not there. */
export function fixOf(line: string, evidence: string): string {
  return evidence === notOnThisSystem ? onLinux : (fixes[line] ?? 'see drover doctor on the node');
}

const mechanisms: { readonly [line: string]: readonly string[] } = {
  kill_unit: ['cgroup.kill', 'namespace.pid'],
  pids_limit: ['cgroup.pids'],
  memory_limit: ['cgroup.memory'],
  mount_namespace: ['reachable', 'runtime.bwrap', 'namespace.mnt'],
  read_only_system: ['reachable', 'runtime.bwrap', 'namespace.mnt'],
  pid_namespace: ['reachable', 'runtime.bwrap', 'namespace.pid'],
  ipc_namespace: ['reachable', 'runtime.bwrap', 'namespace.ipc'],
  uts_namespace: ['reachable', 'runtime.bwrap', 'namespace.uts'],
  empty_capabilities: ['capabilities'],
  network_namespace: ['runtime.runc', 'namespace.net'],
  cgroup_namespace: ['runtime.bwrap', 'namespace.cgroup'],
  cgroup_limits: ['cgroup.memory', 'cgroup.pids', 'cgroup.cpu'],
  user_namespace: ['subordinate_ids', 'namespace.user', 'runtime.runc'],
  devices: ['runtime.runc'],
  masked_proc: ['reachable', 'runtime.bwrap', 'namespace.mnt'],
  root_file_system: ['reachable', 'runtime.bwrap'],
  no_core_dumps: ['seccomp'],
};

/** Node attributes `isolation.<mechanism>` that a line stands on, the most telling first. */
export function mechanismsOf(line: string): readonly string[] {
  return mechanisms[line] ?? [line];
}

/** What a running task lost since the last look, and what it has again. */
export function isolationChange(
  before: { readonly mechanisms: readonly Seen[] },
  now: { readonly mechanisms: readonly Seen[] },
): { readonly lost: readonly Seen[]; readonly regained: readonly string[] } {
  const verified = (seen: readonly Seen[]): ReadonlySet<string> =>
    new Set(seen.filter(({ state }) => state === 'verified').map(({ name }) => name));
  const [had, has] = [verified(before.mechanisms), verified(now.mechanisms)];
  return {
    lost: now.mechanisms.filter(({ name }) => had.has(name) && !has.has(name)),
    regained: [...has].filter((name) => !had.has(name)),
  };
}

/** Verified lines of a task that stand on a mechanism of the node: a runtime counts where it is the one that made them. */
export function linesMadeWith(
  mechanism: string,
  report: { readonly runtime: string; readonly mechanisms: readonly Seen[] },
): readonly string[] {
  const verified = report.mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name);
  const isRuntime = mechanism.startsWith('runtime.');
  if (isRuntime && !report.runtime.startsWith(mechanism.slice('runtime.'.length))) return [];
  return verified.filter((line) =>
    mechanismsOf(line).some((each) => each === mechanism || (isRuntime && each.startsWith('runtime.'))),
  );
}
