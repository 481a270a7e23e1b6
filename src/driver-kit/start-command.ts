/**
 * The order of a start, once it is known what to run: how to isolate it → cgroup → intent and shim, the command held → checked from outside →
 * go → running. Whatever fails on the way leaves nothing behind.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { posix } from 'node:path';
import type { CommandSpec, IsolationReport, TaskConfig } from '../driver/contract.ts';
import { weightFiles } from '../isolation/cgroup/disk-weights.ts';
import type { CgroupHost } from '../isolation/cgroup/hierarchy.ts';
import { type CgroupLimits, limitsOf } from '../isolation/cgroup/limits.ts';
import {
  cgroupName,
  describeTaskCgroup,
  limitProcessor,
  makeTaskCgroup,
  overrideCgroup,
  type TaskCgroup,
} from '../isolation/cgroup/task-cgroup.ts';
import { checkWeight } from '../isolation/cgroup/weight-trial.ts';
import { deviceAdvice } from '../isolation/host-devices.ts';
import type { InsideSteps, LaunchRequest } from '../isolation/launch/launch.ts';
import { checkTask, type PreparedTask, prepareTask, reachOf, runningChecks } from '../isolation/prepare.ts';
import type { PrepareRequest } from '../isolation/prepare-request.ts';
import { processAdvice, processRoom } from '../isolation/process-room.ts';
import { leftInGroups } from '../isolation/recheck.ts';
import type { Tried } from '../isolation/tries.ts';
import { type HostUser, lookUpUser } from '../isolation/users.ts';
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import { Turns } from '../lib/turns.ts';
import { highestRung } from '../model/isolation-ladder.ts';
import type { Shim, ShimStatus } from '../supervise/contract.ts';
import { startErrorOf } from '../supervise/start-fault.ts';
import { encodeVerify, readReport, type VerifyInstructions } from '../supervise/verify-fields.ts';
import { type CommandState, noteState } from './command-state.ts';
import { CommandTask, removeStart } from './command-task.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { launchFailed, userUnknown } from './nomad-texts.ts';
import { killUnitOf, startRecord } from './start-record.ts';
import { rehearseWorkDir, workDirFault } from './work-dir.ts';

/**
 * One start, in the order of this file's head. `tried`: what this way of isolating was shown to stop; null: it could not be tried. Resolves when the task runs and was checked; whatever fails or is aborted before leaves
 * nothing behind.
 */
export async function startCommand(
  { spec, tried }: { readonly spec: CommandSpec; readonly tried: Tried | null },
  deps: DriverDeps,
  task: TaskConfig,
  directory: string,
  signal: AbortSignal,
): Promise<CommandTask> {
  const request = await requestOf(spec, tried, deps, task, directory);
  const prepared = await prepareTask(deps.isolation, request);
  const { cgroup, limits } = request;
  return begin(deps, prepared, { task, spec, directory, cgroup, limits }, signal);
}

/** Rejects with the fault that a start would have before it does anything. */
export async function rehearseCommand(
  spec: CommandSpec,
  deps: DriverDeps,
  task: TaskConfig,
  directory: string,
): Promise<void> {
  const request = await requestOf(spec, {}, deps, task, directory);
  if (spec.ioWeight !== undefined) await checkWeight(deps.isolation.cgroups);
  rehearseWorkDir(deps.isolation, request, reachOf(deps.isolation, request), task);
}

async function requestOf(
  spec: CommandSpec,
  tried: Tried | null,
  deps: DriverDeps,
  task: TaskConfig,
  directory: string,
): Promise<PrepareRequest> {
  const user = await userOf(task, spec);
  return {
    wish: spec.isolation,
    floor: highestRung([task.isolationFloor, spec.isolationMin ?? 'none']),
    required: task.isolationRequire ?? [],
    tried,
    cgroup: cgroupOf(deps, task, spec),
    limits: limitsOf(withOverhead(task, spec), spec.pidsLimit ?? null, extraLimits(deps, task, spec)),
    nativeShim: deps.supervisor.kind === 'native',
    userNamed: task.user !== '',
    launch: launchRequest(task, spec, user, directory),
  };
}

/**
 * Launchers at the same time, until what they start is held. More of them are no faster: they contend for the same locks of the kernel, and
 * each takes so long that its shim may give it up. A command that waits to be checked and for its intent to be stored is in nobody's way.
 */
const turns = new Turns(4 * availableParallelism());

async function begin(
  deps: DriverDeps,
  prepared: PreparedTask,
  start: Omit<Started, 'nonce'>,
  signal: AbortSignal,
): Promise<CommandTask> {
  const { task, directory, cgroup } = start;
  let shim: Shim | null = null;
  const nonce = randomBytes(16).toString('hex');
  const started = { ...start, nonce };
  const launched = async (): Promise<Shim> => {
    signal.throwIfAborted();
    if (cgroup !== null) await makeTaskCgroup(cgroup, start.limits, prepared.gate);
    signal.throwIfAborted();
    const { launch, gate } = prepared;
    const verify = launch.inside === null ? null : encodeVerify(instructions(launch.inside, nonce));
    if (!gate) await noteUnheld(deps, prepared, started);
    shim = await deps.supervisor.start(
      startRecord({ task, directory, launch, cgroup, gate, verify, taskMounts: deps.isolation.taskMounts }),
    );
    await shim.held();
    return shim;
  };
  try {
    return await release(deps, await (prepared.gate ? turns.run(launched) : launched()), prepared, started);
  } catch (error) {
    const left = shim ?? (await bornUnseen(deps, directory));
    if (left !== 'unknown') {
      await undo(left);
      await removeStart({ cgroup, directory });
    }
    throw explained(error, start.spec.workDir);
  }
}

/** A shim that was started and not reached: its command may run. What cannot be told now stays, with its record, for the next sweep. */
async function bornUnseen({ supervisor, log }: DriverDeps, directory: string): Promise<Shim | null | 'unknown'> {
  try {
    const found = await supervisor.recover(directory);
    return found.state === 'present' ? found.shim : null;
  } catch (error) {
    log.error('what is left of a start that failed is not known', { directory, error: messageOf(error) });
    return 'unknown';
  }
}

interface Started {
  readonly task: TaskConfig;
  readonly spec: CommandSpec;
  readonly directory: string;
  readonly cgroup: TaskCgroup | null;
  readonly limits: CgroupLimits;
  readonly nonce: string;
  readonly left?: ReturnType<typeof leftInGroups>;
}

function instructions(inside: InsideSteps, nonce: string): VerifyInstructions {
  const { noNewPrivs, capabilities, seccomp } = inside;
  const identity = {
    noNewPrivs,
    ...(capabilities === null ? {} : { capabilities }),
    ...(seccomp === null ? {} : { seccomp }),
    rlimits: inside.rlimits,
  };
  return { nonce, command: inside.command, env: inside.env, workDir: inside.workDir, identity };
}

/** Checked from outside, noted, and let go. */
async function release(deps: DriverDeps, shim: Shim, prepared: PreparedTask, started: Started): Promise<CommandTask> {
  const held = await shim.held();
  if (prepared.gate && started.cgroup !== null) limitProcessor(started.cgroup, started.limits);
  const killUnit = killUnitOf(started.cgroup, prepared.launch).kind;
  const findings = prepared.launch.inside === null ? null : readReport(await shim.report(), started.nonce);
  const isolation = await checkTask(deps.isolation, prepared, { pid: held.pid, killUnit, findings });
  const seen = prepared.gate ? { ...started, left: leftInGroups(started.cgroup, started.limits) } : started;
  const state = stateOf(prepared, seen, isolation, held);
  if (!prepared.gate) return new CommandTask(started.task, state, shim, null);
  noteState(state);
  return new CommandTask(started.task, stateOf(prepared, seen, isolation, await shim.go()), shim, null);
}

function stateOf(
  prepared: PreparedTask,
  { directory, cgroup, spec, left }: Started,
  isolation: IsolationReport,
  at: Pick<ShimStatus, 'pid' | 'startTime' | 'startedAt'>,
): CommandState {
  const startedAt = at.startedAt > 0n ? at.startedAt : BigInt(Date.now()) * 1_000_000n;
  return {
    version: 1,
    directory,
    cgroup,
    pid: at.pid,
    startedAt: String(startedAt),
    execWorkDir: prepared.launch.inside?.workDir ?? prepared.launch.workDir,
    env: { ...spec.env },
    withoutEnv: [...(spec.withoutEnv ?? [])],
    startTime: String(at.startTime),
    isolation,
    checks: prepared.gate ? { ...runningChecks(prepared, killUnitOf(cgroup, prepared.launch).kind), ...left } : null,
  };
}

/** What is not held runs as soon as it is there, so it is noted before. */
async function noteUnheld(deps: DriverDeps, prepared: PreparedTask, started: Started): Promise<void> {
  const isolation = await checkTask(deps.isolation, prepared, { pid: 0, killUnit: 'session', findings: null });
  noteState(stateOf(prepared, started, isolation, { pid: 0, startTime: 0n, startedAt: 0n }));
}

async function undo(shim: Shim | null): Promise<void> {
  if (shim === null) return;
  try {
    await shim.stop({ signal: 9, timeoutMs: 0 });
  } catch {
    // it has ended already, which is what was wanted
  }
  await shim.wait().catch(() => null);
  await shim.shutdown().catch(() => null);
}

function explained(error: unknown, workDir: string): unknown {
  const advice = processAdvice(messageOf(error), processRoom);
  // whatever it is called: the task may be started once there is room
  if (advice !== null)
    return new Fault('unavailable', `${messageOf(error)}: ${advice}`, { recoverable: true, cause: error });
  const missing = deviceAdvice(messageOf(error));
  if (missing !== null) return new Fault('unavailable', `${messageOf(error)}: ${missing}`, { cause: error });
  if (!isFault(error, 'invalid')) return error;
  const failed = startErrorOf(error);
  if (failed?.stage === 'chdir') return workDirFault(workDir, failed.message, error);
  return new Fault('invalid', launchFailed(messageOf(error)), { cause: error });
}

async function userOf(task: TaskConfig, spec: CommandSpec): Promise<HostUser | null> {
  const wanted = task.user || spec.defaultUser;
  if (wanted === '') return null;
  try {
    return await lookUpUser(wanted);
  } catch (error) {
    if (!isFault(error, 'invalid')) throw error;
    throw new Fault('invalid', userUnknown(wanted), { cause: error });
  }
}

function cgroupOf(deps: DriverDeps, task: TaskConfig, spec: CommandSpec): TaskCgroup | null {
  const { cgroups } = deps.isolation;
  const name = cgroupName(task.id);
  const own = describeTaskCgroup(cgroups, name, [
    ...(task.resources.cpusetCpus === '' ? [] : ['cpuset']),
    ...(spec.ioWeight === undefined ? [] : ['io']),
  ]);
  const group = spec.cgroupOverride === undefined ? own : overrideCgroup(own, cgroups, spec.cgroupOverride);
  return group.directories.length === 0 ? null : group;
}

/** `Fault('unsupported')`: a weight that no disk here heeds. */
function extraLimits({ isolation }: DriverDeps, { resources }: TaskConfig, spec: CommandSpec): Partial<CgroupLimits> {
  const cores = resources.percentTicks * availableParallelism();
  return {
    ...(spec.cpuHardLimit === true && cores > 0 ? { cpuCores: cores } : {}),
    ...(spec.ioWeight === undefined ? {} : { ioWeight: spec.ioWeight, ...weightFilesOf(isolation.cgroups) }),
  };
}

function weightFilesOf(cgroups: CgroupHost): Pick<CgroupLimits, 'ioWeightFiles'> {
  const ioWeightFiles = weightFiles(cgroups);
  return ioWeightFiles === null ? {} : { ioWeightFiles };
}

function withOverhead({ resources }: TaskConfig, spec: CommandSpec): TaskConfig['resources'] {
  const more = spec.memoryOverheadMb ?? 0;
  const { memoryMb, memoryMaxMb } = resources;
  return { ...resources, memoryMb: memoryMb + more, memoryMaxMb: memoryMaxMb > 0 ? memoryMaxMb + more : memoryMaxMb };
}

function environmentOf(task: TaskConfig, spec: CommandSpec): Readonly<Record<string, string>> {
  const env = { ...task.env, ...spec.env };
  for (const name of spec.withoutEnv ?? []) delete env[name];
  return env;
}

function launchRequest(task: TaskConfig, spec: CommandSpec, user: HostUser | null, directory: string): LaunchRequest {
  const { network } = task;
  return {
    taskId: task.id,
    taskName: task.name,
    command: [spec.command, ...spec.args],
    env: environmentOf(task, spec),
    workDir: spec.workDir,
    user: user === null ? null : { uid: user.uid, gid: user.gid, groups: user.groups },
    directories: task.directories,
    // a job may write "v" for "/v"
    mounts: [...task.mounts, ...(spec.mounts ?? [])].map((each) => ({
      ...each,
      taskPath: posix.resolve('/', each.taskPath),
    })),
    devices: [...task.devices, ...(spec.devices ?? [])],
    network: launchNetwork(network),
    dns: task.dns,
    capabilities: spec.isolation.capabilities,
    pidMode: spec.isolation.pidMode,
    ipcMode: spec.isolation.ipcMode,
    oomScoreAdj: spec.oomScoreAdj ?? 0,
    stateDirectory: directory,
    cgroupName: cgroupName(task.id),
  };
}

/** As launches are told of it. */
export function launchNetwork(network: TaskConfig['network']): LaunchRequest['network'] {
  if (network === null || network.mode === 'host') return null;
  if (network.path === '') return 'none';
  const { path, labels, hosts } = network;
  return { path, egress: labels['egress_policy'] ?? '', ...(hosts === undefined ? {} : { hosts }) };
}
