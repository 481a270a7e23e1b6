/** What a remedy is, and every kind of them. `docs/remedies.md` has the proof of each. */

export const remedyKinds = [
  'linux',
  'install_runtime',
  'build_programs',
  'build_elsewhere',
  'open_directory',
  'become_root',
  'leave_user_namespace',
  'give_ids',
  'restore_mapper',
  'leave_no_new_privs',
  'more_capabilities',
  'give_nobody',
  'more_room',
  'more_files',
  'larger_files',
  'make_devices',
  'mount_proc',
  'leave_covered_proc',
  'newer_kernel',
  'make_groups_writable',
  'leave_shared_group',
  'delegate_by_user_manager',
  'delegate_by_system_manager',
  'give_groups',
  'boot_with_controllers',
  'mount_groups',
  'hand_controllers_down',
  'leave_outer_filter',
  'leave_outer_ban',
  'open_namespaces',
  'more_processes_of_group',
  'more_processes_of_user',
  'more_processes_of_host',
  'unknown',
] as const;

/** Those that no command does: a sentence says what to do. */
export const sentenceKinds: readonly RemedyKind[] = [
  'linux',
  'build_elsewhere',
  'become_root',
  'leave_user_namespace',
  'leave_no_new_privs',
  'more_capabilities',
  'more_room',
  'more_files',
  'larger_files',
  'leave_covered_proc',
  'newer_kernel',
  'boot_with_controllers',
  'hand_controllers_down',
  'leave_outer_filter',
  'leave_outer_ban',
  'more_processes_of_user',
  'unknown',
];

export type RemedyKind = (typeof remedyKinds)[number];

export interface Step {
  readonly kind: RemedyKind;
  /** A command line, or one sentence where no command does it. */
  readonly command: string;
}

export interface Remedy extends Step {
  readonly probe: string;
  readonly because: string;
}

/** As `sudo`, where the agent is not root. */
export function asAdministrator(uid: number, command: string): string {
  return `${uid === 0 ? '' : 'sudo '}${command}`;
}

/** Where the agent is not root all of a script as root; it has no single quotes. */
export function scriptAsAdministrator(uid: number, script: string, words = ''): string {
  return uid === 0 && words === '' ? script : asAdministrator(uid, `sh -c '${script}'${words}`);
}
