/**
 * The ladder as data: what each rung promises, line by line. A task's rung is the highest whose every line, and every line below,
 * is verified. docs/isolation.md shows it to users.
 */
import type { IsolationReport, IsolationRung } from '../driver/contract.ts';

export const rungs: readonly IsolationRung[] = ['none', 'process', 'sandbox', 'container', 'shielded', 'vm'];

export function rankOf(rung: IsolationRung): number {
  return rungs.indexOf(rung);
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

export type Mechanism = IsolationReport['mechanisms'][number];

/** The highest rung whose lines are all verified. */
export function rungOf(mechanisms: readonly Mechanism[]): IsolationRung {
  const verified = new Set(mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name));
  let reached: IsolationRung = 'none';
  for (const rung of rungs) {
    if (!linesOf[rung].every((line) => verified.has(line))) break;
    reached = rung;
  }
  return reached;
}

/** The first line that keeps a task below `rung`, with why; null: it is there. */
export function missingLine(mechanisms: readonly Mechanism[], rung: IsolationRung): string | null {
  for (const each of rungs.slice(0, rankOf(rung) + 1)) {
    for (const line of linesOf[each]) {
      const found = mechanisms.find(({ name }) => name === line);
      if (found?.state !== 'verified') return `${line} (${found === undefined ? 'not checked' : found.evidence})`;
    }
  }
  return null;
}
