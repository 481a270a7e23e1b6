/** What the agent itself lacks: why no task can be started by it, whatever the host's mechanisms. Pure. */
import { asAdministrator, type Step, scriptAsAdministrator } from './remedy.ts';

export interface AgentFacts {
  /** Of newuidmap and newgidmap: what gives them back the rights that they map with; empty: they have them. */
  readonly restoreMapper: string;
  /** Nothing that the agent starts gains rights. */
  readonly noNewPrivs: boolean;
  /** Of root: capabilities that starts need and it has not, `["SYS_ADMIN"]`. */
  readonly lacksCapabilities: readonly string[];
  /** Hard limit of open files; null: none. */
  readonly openFiles: number | null;
  /** Where trial tasks were to be, and what can still be written there. */
  readonly room: { readonly path: string; readonly kib: number; readonly files: number };
}

/** Those without which root cannot give a task ids and directories of its own, a root and an end, and cannot see what it got. */
export const neededCapabilities: readonly string[] = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID', 'SYS_ADMIN', 'SYS_CHROOT', 'SYS_PTRACE'],
];

/** A runtime and its shim hold about fifty each. */
const fewestFiles = 256;

export function capabilityStep({ lacksCapabilities }: AgentFacts): Step | null {
  if (lacksCapabilities.length === 0) return null;
  const names = lacksCapabilities.join(' ');
  return {
    kind: 'more_capabilities',
    command: `run the agent with what it lacks of root's capabilities: ${names} (of a container: --cap-add, of a unit: CapabilityBoundingSet=)`,
  };
}

/** Why ids that are given cannot be mapped; null: it is not that. */
export function mapperStep(because: string, { restoreMapper, noNewPrivs }: AgentFacts, uid: number): Step | null {
  if (!/[ug]id_map failed/.test(because)) return null;
  if (noNewPrivs)
    return {
      kind: 'leave_no_new_privs',
      command: 'run the agent where nothing around it sets no_new_privs (of a unit: NoNewPrivileges=no)',
    };
  return restoreMapper === ''
    ? null
    : {
        kind: 'restore_mapper',
        command: restoreMapper
          .split(' && ')
          .map((each) => asAdministrator(uid, each))
          .join(' && '),
      };
}

/** A trial task did not start, by what the error says; null: it does not tell. */
export function startStep(because: string, facts: AgentFacts, uid: number): Step | null {
  const { room, openFiles } = facts;
  if (/ENOSPC|EDQUOT|no space left/i.test(because))
    return {
      kind: 'more_room',
      command: `make room on the file system of ${room.path}: ${room.kib} KiB and ${room.files} files can be written there`,
    };
  // by hand: where systemd invents the user for programs that ask it, useradd says that it is there
  if (/unknown user nobody/.test(because)) {
    const row = 'nobody:x:65534:65534::/:/usr/sbin/nologin';
    return { kind: 'give_nobody', command: scriptAsAdministrator(uid, `echo ${row} >>/etc/passwd`) };
  }
  if (openFiles !== null && openFiles < fewestFiles)
    return {
      kind: 'more_files',
      command: `let the agent open more than ${openFiles} files (ulimit -Hn, of a unit: LimitNOFILE=)`,
    };
  return null;
}
