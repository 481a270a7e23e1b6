/**
 * The ladder as data: what each rung promises, line by line. A task's rung is the highest whose every line, and every line below,
 * is verified. docs/isolation.md shows it to users.
 */
export type IsolationRung = 'none' | 'process' | 'sandbox' | 'container' | 'shielded' | 'vm';

/** From the loosest to the strictest. */
export const rungs: readonly IsolationRung[] = ['none', 'process', 'sandbox', 'container', 'shielded', 'vm'];

export function rankOf(rung: IsolationRung): number {
  return rungs.indexOf(rung);
}

/** `undefined`: no rung is called so. */
export function rungNamed(text: string): IsolationRung | undefined {
  return rungs.find((each) => each === text);
}

export function highestRung(given: readonly IsolationRung[]): IsolationRung {
  return rungs[Math.max(0, ...given.map(rankOf))] ?? 'none';
}

/** Names of lines; each is also a mechanism's name in reports and node attributes. */
export const linesOf: Readonly<Record<IsolationRung, readonly string[]>> = {
  none: [],
  process: [
    'session',
    'kill_unit',
    'pids_limit',
    'memory_limit',
    'not_root',
    'own_uid',
    'environment',
    'descriptors',
    'no_new_privs',
  ],
  sandbox: [
    'mount_namespace',
    'read_only_system',
    'pid_namespace',
    'ipc_namespace',
    'uts_namespace',
    'empty_capabilities',
    'seccomp',
    'unique_uid',
  ],
  container: [
    'network_namespace',
    'network_policy',
    'cgroup_namespace',
    'cgroup_limits',
    'user_namespace',
    'devices',
    'masked_proc',
    'root_file_system',
  ],
  shielded: ['second_kernel'],
  vm: ['hardware_virtualisation'],
};

/**
 * Lines of no rung, which can be required: they rest on more than how a task is isolated (`disk_quota` on the file system of allocations), or are
 * not what others promise by the rung's name (`no_core_dumps`).
 */
export const linesApart: readonly string[] = ['disk_quota', 'no_core_dumps'];

/** Every line, from the lowest rung to the highest, then those of none. */
export const allLines: readonly string[] = [...rungs.flatMap((rung) => linesOf[rung]), ...linesApart];

/** What people call some lines. */
const otherNames: { readonly [name: string]: string } = {
  pids: 'pids_limit',
  memory: 'memory_limit',
  network: 'network_namespace',
  capabilities: 'empty_capabilities',
  uid: 'unique_uid',
  files: 'read_only_system',
  cgroup: 'cgroup_limits',
  disk: 'disk_quota',
};

/** `"seccomp"`, or a shorter name such as `"pids"` → the line; `undefined`: there is none. */
export function lineNamed(text: string): string | undefined {
  return allLines.includes(text) ? text : Object.hasOwn(otherNames, text) ? otherNames[text] : undefined;
}

/** The highest rung whose lines, and those of all below, are there. */
export function rungWith(lines: ReadonlySet<string>): IsolationRung {
  let reached: IsolationRung = 'none';
  for (const rung of rungs) {
    if (!linesOf[rung].every((line) => lines.has(line))) break;
    reached = rung;
  }
  return reached;
}
