/** From a launch (what isolation wants) to a start record (what the shim reads). */
import { basename } from 'node:path';
import type { TaskConfig } from '../driver/contract.ts';
import { killDirectories, memoryDirectory, type TaskCgroup } from '../isolation/cgroup/task-cgroup.ts';
import { followsHost, type Launch } from '../isolation/launch/launch.ts';
import type { KillUnit, OutputSpec, StartRecord } from '../supervise/contract.ts';
import { defaultKillSignal, requireSignal } from './signals.ts';

const megabyte = 1024 * 1024;
/** Longer than any check takes; an agent that dies meanwhile leaves a task that never began. */
const gateTimeoutMs = 30_000;

export interface RecordInput {
  readonly task: TaskConfig;
  readonly directory: string;
  readonly launch: Launch;
  readonly cgroup: TaskCgroup | null;
  /** Hold the command for checks. */
  readonly gate: boolean;
  readonly verify: Uint8Array | null;
  /** The mount that all tasks' mounts hang below. */
  readonly taskMounts: string | null;
}

export function startRecord(input: RecordInput): StartRecord {
  const { launch, cgroup, directory, task } = input;
  const memory = cgroup === null ? undefined : memoryDirectory(cgroup);
  return {
    id: task.id,
    directory,
    launcher: launch.launcher,
    command: launch.command,
    env: launch.env,
    workDir: launch.workDir,
    identity: launch.identity,
    cgroups: cgroup === null || !launch.joinsCgroup ? [] : cgroup.directories.map((each) => each.path),
    ...(launch.network === null ? {} : { network: launch.network }),
    ...(launch.subordinate === undefined ? {} : { users: launch.subordinate.namespace }),
    ...mountsOfOthers(input),
    ...(launch.passage === undefined ? {} : { passage: launch.passage }),
    killUnit: killUnitOf(cgroup, launch),
    ...(memory === undefined ? {} : { memoryCgroup: memory }),
    output: outputOf(task),
    stop: { signal: requireSignal(defaultKillSignal), timeoutMs: 5000 },
    ...(input.gate ? { gate: { timeoutMs: gateTimeoutMs } } : {}),
    ...(input.verify === null ? {} : { verify: input.verify }),
  };
}

/** Where the host may have mounts that bubblewrap's launcher lets go, besides those of cgroups (`leave_mounts_of_others` of the shim). */
const letGo = ['/dev/shm', '/dev/pts', '/run/netns'];

/** bubblewrap binds something of what would be let go. */
function bindsOfThese({ command, launcher }: Launch): boolean {
  const below = (path: string, parent: string): boolean =>
    `${path}/`.startsWith(parent === '/' ? parent : `${parent}/`);
  const sources = command.filter((_, at) => /^--(ro-|dev-)?bind$/.test(command[at - 1] ?? ''));
  return launcher.kind === 'bwrap' && sources.some((from) => letGo.some((at) => below(from, at) || below(at, from)));
}

/** As many as the shim takes (`own_mounts`). */
const mostOwn = 8;

/**
 * A launcher that makes mounts goes without other tasks' and without those of cgroups, and sees nothing that the host mounts later; but for a
 * volume that is to follow the host. One that shows what would be let go keeps all.
 */
function mountsOfOthers({ launch, taskMounts, task }: RecordInput): Pick<StartRecord, 'mountsOfOthers'> {
  const own = [task.directories.secrets, ...task.mounts.filter(followsHost).map(({ hostPath }) => hostPath)];
  const showsCgroups = task.mounts.some(({ hostPath }) => /^\/(sys(\/fs(\/cgroup(\/.*)?)?)?\/?)?$/.test(hostPath));
  if (taskMounts === null || launch.launcher.kind === 'direct' || own.length > mostOwn || showsCgroups) return {};
  if (bindsOfThese(launch)) return {};
  if (!task.directories.allocation.startsWith(`${taskMounts}/`)) return {};
  return { mountsOfOthers: { below: taskMounts, own } };
}

export function killUnitOf(cgroup: TaskCgroup | null, launch: Launch): KillUnit {
  const directories = cgroup === null ? [] : killDirectories(cgroup);
  if (directories.length > 0) return { kind: 'cgroup', directories };
  return launch.pidNamespace ? { kind: 'pid-namespace', mountProc: true } : { kind: 'session' };
}

function outputOf(task: TaskConfig): OutputSpec {
  const { log, directories, name } = task;
  if (log.disabled) return { mode: 'discard' };
  if (log.fifos !== null) return { mode: 'forward', stdout: log.fifos.stdout, stderr: log.fifos.stderr };
  return {
    mode: 'rotate',
    directory: directories.logs,
    stdout: `${basename(name)}.stdout`,
    stderr: `${basename(name)}.stderr`,
    maxFiles: Math.max(1, log.maxFiles),
    maxBytes: Math.max(1, log.maxFileSizeMb) * megabyte,
  };
}
