/** What the agent itself lacks: why no task can be started by it, whatever the host's mechanisms. Pure. */
import { readMounts } from '../lib/node/mount-table.ts';
import { makeDevices, type UnfitDevice } from './host-devices.ts';
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
  /** Soft limit of a file's bytes; null: none. */
  readonly fileBytes: number | null;
  readonly unfitDevices: readonly UnfitDevice[];
  /** False: root that may make no device, or not here. */
  readonly makesDevices: boolean;
  /** `missing`: nothing is mounted at /proc; `covered`: parts of it are hidden or read-only, as outer containers and units have it. */
  readonly proc: 'whole' | 'covered' | 'missing';
  /** False: root that may make no mount of it. */
  readonly mountsProc: boolean;
  /** Where trial tasks were to be, and what can still be written there. */
  readonly room: { readonly path: string; readonly kib: number; readonly files: number };
}

/** Those without which root cannot give a task ids and directories of its own, a root and an end, and cannot see what it got. */
export const neededCapabilities: readonly string[] = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID', 'SYS_ADMIN', 'SYS_CHROOT', 'SYS_PTRACE'],
];

/** A runtime and its shim hold about fifty each. */
const fewestFiles = 256;
/** What the agent keeps of tasks' output and its tables in is larger. */
const largestFile = 64 * 1024 * 1024;

export function capabilityStep({ lacksCapabilities }: AgentFacts): Step | null {
  if (lacksCapabilities.length === 0) return null;
  const names = lacksCapabilities.join(' ');
  return {
    kind: 'more_capabilities',
    command: `run the agent with what it lacks of root's capabilities: ${names} (of a container: --cap-add, of a unit: CapabilityBoundingSet=)`,
  };
}

/** Devices that are not as they have to be; null: `because` is of none of them. */
export function deviceStep(because: string, facts: AgentFacts, uid: number): Step | null {
  const { unfitDevices, makesDevices } = facts;
  const isNull = unfitDevices.some(({ path, is }) => path === '/dev/null' && is === 'missing');
  if (!isNull && !unfitDevices.some(({ path }) => because.includes(path))) return null;
  if (!makesDevices) return capabilityStep({ ...facts, lacksCapabilities: ['MKNOD'] });
  return { kind: 'make_devices', command: scriptAsAdministrator(uid, makeDevices(unfitDevices)) };
}

/** The kernel lets nobody in a user namespace mount a /proc that shows more than the agent's own does; null: it is not that. */
export function procStep(because: string, { proc, mountsProc }: AgentFacts, uid: number): Step | null {
  if (proc === 'whole' || !/\bproc\b.*(not permitted|must be superuser)|\/proc\/sys\//i.test(because)) return null;
  return mountsProc ? mountProc(uid) : leaveCoveredProc;
}

const mountProc = (uid: number): Step => ({
  kind: 'mount_proc',
  command: asAdministrator(uid, 'mount -t proc none /proc'),
});

export const leaveCoveredProc: Step = {
  kind: 'leave_covered_proc',
  command:
    'run the agent where nothing covers /proc (docker: --security-opt systempaths=unconfined, podman: --security-opt unmask=ALL, of a unit: ProtectKernelTunables=no)',
};

/** Of `/proc/self/mountinfo`: parts of /proc are hidden, or not as it is mounted. What belongs below /proc/sys/fs hides nothing. */
export function coversProc(mountinfo: string): boolean {
  const mounts = readMounts(mountinfo);
  const [own] = mounts.filter(({ point }) => point === '/proc').slice(-1);
  const covers = mounts.filter(({ point }) => /^\/proc\/(?!sys\/fs\/|fs\/nfsd)/.test(point));
  return covers.length > 0 || own?.superOptions.includes('subset=pid') === true;
}

/** What no trial and no probe could be made without; null: it is there. */
export function groundStep(facts: AgentFacts, uid: number): Step | null {
  if (facts.proc === 'missing') return mountProc(uid);
  return deviceStep('', facts, uid);
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
  const { room, openFiles, fileBytes } = facts;
  // of namespaces too the kernel says that there is no space left
  if (/ENOSPC|EDQUOT|no space left/i.test(because) && !/namespace|unshare/i.test(because))
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
  if (fileBytes !== null && fileBytes < largestFile)
    return {
      kind: 'larger_files',
      command: `let the agent write files of more than ${fileBytes} bytes (ulimit -f, of a unit: LimitFSIZE=)`,
    };
  return null;
}
