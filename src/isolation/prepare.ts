/**
 * From a wish to a checked task. Two steps around the start: `prepareTask` chooses how, `checkTask` looks at the held process and
 * says what it really got; below its floor the task is refused before its first instruction.
 */
import { statSync, writeFileSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { IsolationReport, IsolationRung, IsolationWish } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import { deviceNumber } from '../lib/node/device-number.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { kernelText } from '../lib/node/kernel-file.ts';
import { writeBeneath } from '../lib/node/safe-path.ts';
import { notOnThisSystem } from '../model/isolation-losses.ts';
import { agentHolds, capabilityBits } from './capabilities.ts';
import { boundsTask, killDirectories, type TaskCgroup } from './cgroup/task-cgroup.ts';
import { tryDevices } from './device-trial.ts';
import { diskLine } from './disk-line.ts';
import { checkFromHost, type RunningChecks, readHeldProcess } from './host-checks.ts';
import { hostResolvers } from './host-resolvers.ts';
import type { IsolationHost } from './isolation-host.ts';
import { bwrapLaunch } from './launch/bwrap.ts';
import { type AllowedPath, followsHost, type Launch, type LaunchRequest, type LaunchUser } from './launch/launch.ts';
import { nameFiles } from './launch/name-files.ts';
import { type DeviceFile, ociLaunch } from './launch/oci.ts';
import { allowedPaths } from './launch/paths.ts';
import { plainLaunch } from './launch/plain.ts';
import { unshareLaunch } from './launch/unshare.ts';
import { byAffinity } from './limit-checks.ts';
import { type Mechanism, missingLine, rankOf, rungOf } from './lines.ts';
import { maskedProc } from './masked-proc.ts';
import type { OciRuntime } from './mechanisms/oci.ts';
import { passageTo } from './passage.ts';
import type { PrepareRequest } from './prepare-request.ts';
import { cores, resourceLimits, withoutCores } from './rlimits.ts';
import { bestRung, isOci, type Obstacle, obstaclesTo, type SandboxMaker, sandboxMakers } from './rungs.ts';
import { hostFilter } from './seccomp/compile.ts';
import { becomes, hasOtherId, keepsUser } from './task-identity.ts';
import { untried, withTries } from './tries.ts';
import { giveDirectory, rootUidOf } from './uids.ts';
import { inRanges } from './users.ts';

export interface PreparedTask {
  readonly launch: Launch;
  /** The command is held for checks. False only where nothing is promised: then the start is not slowed down. */
  readonly gate: boolean;
  readonly request: PrepareRequest;
  /** What this host lacks for the rung that was wished for. */
  readonly lacking: readonly Obstacle[];
}

const required = (request: PrepareRequest): boolean => (request.required ?? []).length > 0;

/** Chooses the launch; starts nothing. `Fault('unsupported')` names what is missing for the floor. */
export async function prepareTask(host: IsolationHost, request: PrepareRequest): Promise<PreparedTask> {
  const prepared = await chosen(host, request);
  const processors = byAffinity(request.cgroup, request.limits);
  if (processors.length === 0) return prepared;
  return { ...prepared, launch: { ...prepared.launch, identity: { ...prepared.launch.identity, processors } } };
}

/**
 * The rank of the rung that such a task can have here, before anything is made for it. `Fault('unsupported')`: below its floor, it could not
 * get to its own directory, or not be ended. `Fault('denied')`: the agent cannot become its user.
 */
export function reachOf(host: IsolationHost, request: PrepareRequest): number {
  const { wish, floor } = request;
  if (rankOf(floor) > rankOf(wish.prefer))
    throw belowFloor(wish.prefer, floor, `this driver gives at most "${wish.prefer}"`);
  const best = bestFor(host, request);
  const reach = Math.min(rankOf(wish.prefer), rankOf(best));
  if (rankOf(floor) > reach) {
    const [first] = obstacles(host, request, floor);
    throw belowFloor(
      best,
      floor,
      first === undefined ? 'nothing here makes that rung' : `${first.probe} (${first.evidence})`,
    );
  }
  if (reach < rankOf('sandbox') && host.uid === 0 && hasOtherId(host, request, reach) && !passes(host)) {
    throw new Fault(
      'unsupported',
      `the task cannot get to its directory: ${host.probes.get('reachable')?.evidence ?? ''}`,
    );
  }
  if (host.uid === 0 && (reach >= rankOf('sandbox') || hasOtherId(host, request, reach)) && !agentHolds('KILL'))
    throw new Fault('unsupported', 'the agent could not end the task: its root lacks CAP_KILL');
  const { user } = request.launch;
  if (reach < rankOf('process') && user !== null && !becomes(host.uid, user.uid))
    throw new Fault('denied', `the agent is not root: as uid ${host.uid} it starts nothing as uid ${user.uid}`);
  return reach;
}

async function chosen(host: IsolationHost, request: PrepareRequest): Promise<PreparedTask> {
  const { wish } = request;
  const reach = reachOf(host, request);
  if (reach >= rankOf('sandbox')) {
    const launch = reached(host, request, await isolated(host, request));
    return { launch, gate: true, request, lacking: [] };
  }
  const strict = reach >= rankOf('process');
  const user = strict ? ownUser(host, request) : request.launch.user;
  const rlimits = strict && !boundsTask(request.cgroup) ? resourceLimits(request.limits) : [];
  const launch = plainLaunch(
    { ...request.launch, user },
    {
      noNewPrivs: strict,
      capabilities: strict ? capabilityBits(wish.capabilities) : undefined,
      rlimits,
      paths: strict ? confined(host, request) : null,
      pidNamespace: request.nativeShim && !canKill(request.cgroup) && host.probes.get('namespace.pid')?.ok === true,
    },
  );
  return {
    launch: request.nativeShim ? reached(host, request, launch) : launch,
    // below rung process too: what is there is looked at, for the report and for what is required
    gate: strict || (request.nativeShim && (wish.prefer !== 'none' || required(request))),
    request,
    // of a task that keeps the host's network nobody wants a container
    lacking: wish.prefer === 'none' ? [] : obstacles(host, request, 'sandbox'),
  };
}

/** What the task may touch, where a sandbox was wanted and nothing here makes one; null: any file. */
function confined(host: IsolationHost, request: PrepareRequest): readonly AllowedPath[] | null {
  if (!wantsPaths(request) || host.verifier === null || host.probes.get('landlock')?.ok !== true) return null;
  return allowedPaths(request.launch, host.system, host.verifier);
}

function wantsPaths({ wish }: PrepareRequest): boolean {
  return wish.confined === true && rankOf(wish.prefer) >= rankOf('sandbox');
}

async function isolated(host: IsolationHost, request: PrepareRequest): Promise<Launch> {
  const [maker] = makersOf(host, request);
  if (maker !== undefined && isOci(maker)) return oci(host, request, maker);
  return maker === 'bwrap' ? sandbox(host, request) : sandboxByUnshare(host, request);
}

/** The best first. A runtime wants the task's cgroup too. */
function makersOf(host: IsolationHost, { launch, wish, cgroup }: PrepareRequest): readonly SandboxMaker[] {
  if (host.verifier === null) return [];
  const container =
    rankOf(wish.prefer) >= rankOf('container') && (launch.network !== null || wish.capabilities.length > 0);
  return sandboxMakers(host.probes, wish.runtimes, container).filter((name) => cgroup !== null || !isOci(name));
}

/** A launch by an agent that can give tasks other ids finds what it reaches for also where directories are closed to others. */
function reached(host: IsolationHost, { launch: wanted }: PrepareRequest, launch: Launch): Launch {
  const others = host.uids !== null || launch.subordinate !== undefined;
  if (!others || host.probes.get('reachable')?.ok !== true || (launch.identity.uid ?? 0) === 0) return launch;
  const verifier = launch.inside === null || host.verifier === null ? [] : [host.verifier];
  // its own directory is closed to others, not to it
  const mounted = wanted.mounts
    .map(({ hostPath }) => hostPath)
    .filter((path) => !isBelow(path, wanted.directories.task));
  const needed = [wanted.directories.allocation, ...verifier, ...mounted];
  // the runtime keeps its own files with those of the start
  const passage = passageTo(needed, [
    wanted.stateDirectory,
    ...host.system.filter(({ empty }) => empty === undefined).map(({ from }) => from),
  ]);
  return passage === null ? launch : { ...launch, passage };
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

/** What keeps the task below `rung`, the lowest first. */
function obstacles(host: IsolationHost, request: PrepareRequest, rung: IsolationRung): readonly Obstacle[] {
  const evidence = process.platform === 'linux' ? 'the native supervisor is not built' : notOnThisSystem;
  const shim = { rung: 'process', probe: 'native_shim', evidence } as const;
  const makers = sandboxMakers(host.probes, request.wish.runtimes);
  const lower = obstaclesTo(rung, host.probes).filter((each) => each.rung !== 'sandbox' || makers.length === 0);
  return [
    ...(request.nativeShim ? [] : [shim]),
    ...lower,
    ...(rankOf(rung) < rankOf('container') ? [] : containerObstacles(host, request)),
  ];
}

function containerObstacles(host: IsolationHost, request: PrepareRequest): readonly Obstacle[] {
  if (request.launch.network === null) {
    return [{ rung: 'container', probe: 'network_namespace', evidence: "the group keeps the host's network" }];
  }
  if (makesContainer(host, request)) return [];
  const { runtimes } = request.wish;
  const left = runtimes.length === 0 || runtimes.includes('runc');
  const evidence = left ? host.probes.get('runtime.runc')?.evidence : `left are ${runtimes.join(', ')}`;
  return [{ rung: 'container', probe: 'runtime.runc', evidence: evidence ?? 'not probed' }];
}

/** An OCI runtime does; without root bubblewrap, where the task has an id of its own and a control group that bounds it. */
function makesContainer(host: IsolationHost, request: PrepareRequest): boolean {
  const [maker] = makersOf(host, request);
  if (maker === undefined || isOci(maker)) return maker !== undefined;
  const { launch, wish, cgroup } = request;
  return maker === 'bwrap' && host.subordinate !== null && !sharesIds(launch, wish) && boundsTask(cgroup);
}

/** A network of its own opens the way to rung `container`. */
function bestFor(host: IsolationHost, request: PrepareRequest): IsolationRung {
  if (!request.nativeShim) return 'none';
  const best = bestRung(host.probes, request.wish.runtimes);
  if (best !== 'sandbox') return best;
  if (makersOf(host, request).length === 0) return 'process';
  return request.launch.network !== null && makesContainer(host, request) ? 'container' : best;
}

function canKill(cgroup: TaskCgroup | null): boolean {
  return cgroup !== null && killDirectories(cgroup).length > 0;
}

const nobody = { uid: 65_534, gid: 65_534, groups: [65_534] } as const;

async function oci(host: IsolationHost, request: PrepareRequest, runtime: OciRuntime): Promise<Launch> {
  const { verifier } = host;
  if (verifier === null) throw new Fault('unsupported', 'the verifier is not built');
  const named = request.launch.user ?? nobody;
  const user = ownUser(host, request);
  const own = host.uids !== null && user !== null && inRanges([host.uids.range], user.uid);
  const made = ociLaunch(await withNames(request.launch, user), {
    program: runtime,
    version: host.probes.get(`runtime.${runtime}`)?.evidence ?? runtime,
    verifier,
    system: host.system,
    inside: { uid: named.uid, gid: named.gid },
    mapping: own && mayMap(request.wish) ? { user: user.uid, root: rootUidOf(user.uid) } : null,
    mountinfo: kernelText('/proc/self/mountinfo'),
    ...filterAndLimits(host, request),
    capabilities: capabilityBits(request.wish.capabilities),
    added: request.wish.capabilities,
    containerId: request.launch.cgroupName,
    cgroupsPath: `/${host.cgroups.parentName}/${request.launch.cgroupName}`,
    deviceOf,
    isDirectory: (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  });
  makeDirectories(made.bundle, 0o700);
  writeFileSync(join(made.bundle, 'config.json'), JSON.stringify(made.config), { mode: 0o600 });
  return made.launch;
}

function deviceOf(path: string): DeviceFile | null {
  const found = statSync(path, { throwIfNoEntry: false });
  const kind = found?.isCharacterDevice() ? 'c' : found?.isBlockDevice() ? 'b' : null;
  return kind === null ? null : { kind, ...deviceNumber(found!.rdev) };
}

/** Other users get to the tasks' directories: who is mapped to one must. */
function passes(host: IsolationHost): boolean {
  return host.probes.get('reachable')?.ok === true;
}

/** Capabilities inside a user namespace mean nothing to the host's network; and the host's own /proc cannot be mounted from inside one. */
function mayMap(wish: IsolationWish): boolean {
  return wish.capabilities.length === 0 && wish.pidMode === 'private';
}

/** Volumes belong to the agent's user, and what the driver asks by a socket must be the agent's too. */
function sharesIds({ mounts }: LaunchRequest, { sharedIds }: IsolationWish): boolean {
  return sharedIds === true || mounts.some(({ readOnly }) => !readOnly);
}

/** Of the agent's subordinate ids, where it has any: one of the task's own, and the namespace in which it is one. */
async function subordinateOf({ subordinate }: IsolationHost, { launch, wish }: PrepareRequest) {
  const { network, directories, taskId } = launch;
  if (subordinate === null || sharesIds(launch, wish)) return null;
  const namespace = await subordinate.namespace(network === null || network === 'none' ? null : network.path);
  if (namespace === null) return null;
  const id = subordinate.claim(taskId.split('/').slice(0, 2).join('/'), directories.task);
  await subordinate.give(directories, id);
  return { user: { uid: id, gid: id, groups: [id] }, ids: { namespace, range: subordinate.range } };
}

async function sandbox(host: IsolationHost, request: PrepareRequest): Promise<Launch> {
  const { bwrap } = host;
  if (bwrap === null) throw new Fault('unsupported', 'no runtime for a sandbox is here');
  const { user, options } = viewOf(host, request);
  const runtime = { program: bwrap.program, version: bwrap.version, added: request.wish.capabilities, maskedProc };
  const own = await subordinateOf(host, request);
  const launch = bwrapLaunch(await withNames(request.launch, own?.user ?? user), { ...options, ...runtime });
  return own === null ? launch : { ...launch, subordinate: own.ids };
}

async function sandboxByUnshare(host: IsolationHost, request: PrepareRequest): Promise<Launch> {
  const { user, options } = viewOf(host, request);
  const version = host.probes.get('runtime.unshare')?.evidence ?? 'unshare';
  return unshareLaunch(await withNames(request.launch, user), { ...options, version, maskedProc });
}

/** Of a task whose memory nothing bounds: as runtimes give. */
const unboundedShared = 64 * 1024 * 1024;

/** What bubblewrap and util-linux are told alike. */
function viewOf(host: IsolationHost, request: PrepareRequest) {
  const { verifier } = host;
  if (verifier === null) throw new Fault('unsupported', 'the verifier is not built');
  const named = request.launch.user ?? nobody;
  const user = ownUser(host, request);
  const options = {
    verifier,
    system: host.system,
    inside: { uid: named.uid, gid: named.gid },
    ...filterAndLimits(host, request),
    capabilities: capabilityBits(request.wish.capabilities),
    cgroupNamespace: host.probes.get('namespace.cgroup')?.ok === true,
    sharedMemoryBytes: request.limits.memoryBytes ?? unboundedShared,
  };
  return { user, options };
}

/** Of whatever runs in a sandbox: the task, and who enters it later. */
function filterAndLimits(host: IsolationHost, { wish, cgroup, limits }: PrepareRequest) {
  const bounds = boundsTask(cgroup) ? [] : resourceLimits(limits);
  if (wish.coreDumps === true && host.seccomp !== null) return { seccomp: hostFilter(true), rlimits: bounds };
  return { seccomp: host.seccomp, rlimits: [...bounds, ...withoutCores()] };
}

/** The task's own /etc/hosts and /etc/resolv.conf, in its private directory, which it never sees; bound over what the system has there. */
async function withNames(launch: LaunchRequest, user: LaunchUser | null): Promise<LaunchRequest> {
  // nothing of its own is said to a task of the host's network: a look at the host's files is spared
  if (launch.network === null && launch.dns === null) return { ...launch, user };
  const mounts = [...launch.mounts];
  for (const { path, text } of nameFiles(launch, hostResolvers())) {
    const hostPath = join(launch.directories.private, basename(path));
    await writeBeneath(launch.directories.private, basename(path), Buffer.from(text), 0o644);
    // where it is a link, as with systemd-resolved, what it leads to is covered
    const taskPath = await realpath(path).catch(() => path);
    mounts.push({ taskPath, hostPath, readOnly: true, propagation: '' });
  }
  return { ...launch, user, mounts };
}

/**
 * The host's ids of a task. Root gives each task its own, and its directory to it, which nobody else enters; a task whose job names a user and mounts volumes keeps
 * that user's uid, for the volumes belong to it. An agent without root has but its own: null.
 */
function ownUser(host: IsolationHost, request: PrepareRequest): LaunchUser | null {
  const { launch } = request;
  if (host.uids === null) return null;
  if (keepsUser(request)) return launch.user;
  const uid = host.uids.claim(launch.taskId.split('/').slice(0, 2).join('/'), launch.directories.task);
  const { task, secrets, private: kept } = launch.directories;
  // who may become others inside must let them pass
  const closed = request.wish.capabilities.length === 0 ? [task] : [];
  for (const path of [...closed, secrets, kept]) giveDirectory(path, uid);
  return { uid, gid: uid, groups: [uid] };
}

export interface CheckInput {
  readonly pid: number;
  readonly killUnit: 'session' | 'cgroup' | 'pid-namespace';
  /** What the verifier found inside; null: it did not take part. */
  readonly findings: readonly { readonly name: string; readonly found: string }[] | null;
}

/** `Fault('unsupported')` naming the missing line where the task is below its floor. */
export async function checkTask(
  host: IsolationHost,
  prepared: PreparedTask,
  input: CheckInput,
): Promise<IsolationReport> {
  const { request, launch } = prepared;
  const { wish, floor } = request;
  const now = new Date().toISOString();
  const required = request.required ?? [];
  const lacking = prepared.lacking.map(
    ({ probe, evidence }) => ({ name: probe, state: 'unavailable', evidence, checkedAt: now }) as const,
  );
  const mechanisms = [
    ...lacking,
    ...(prepared.gate ? [...(await seenFromHost(host, prepared, input, now)), ...pathsLine(host, prepared, now)] : []),
  ];
  const rung = rungOf(mechanisms);
  const missing = missingLine(mechanisms, floor, required);
  if (missing !== null) throw belowFloor(rung, floor, missing);
  return {
    rung,
    wanted: wish.prefer,
    floor,
    ...(required.length === 0 ? {} : { required }),
    runtime: launch.runtime,
    mechanisms,
  };
}

/** Nothing outside tells of Landlock. Its supervisor holds a task back only once it was refused a file that it could read before. */
function pathsLine(host: IsolationHost, { request, launch }: PreparedTask, now: string): readonly Mechanism[] {
  if (launch.launcher.kind !== 'direct' || !wantsPaths(request)) return [];
  const { paths } = launch.identity;
  const { ok, evidence } = host.probes.get('landlock') ?? { ok: false, evidence: 'not probed' };
  const line = { name: 'landlock', checkedAt: now };
  if (paths === undefined) return [{ ...line, state: ok ? 'not_asked' : 'unavailable', evidence }];
  const held = `no file but those below ${paths.length} paths, tried from inside; ${evidence}`;
  return [{ ...line, state: 'verified', evidence: held }];
}

async function seenFromHost(
  host: IsolationHost,
  { request, launch }: PreparedTask,
  input: CheckInput,
  now: string,
): Promise<readonly Mechanism[]> {
  // only a runtime makes rules of devices
  const devices = launch.launcher.kind === 'oci' ? await tryDevices(host.verifier, request.cgroup) : null;
  const held = readHeldProcess(input.pid);
  const check = {
    ...runningChecks({ request, launch }, input.killUnit),
    pid: input.pid,
    cgroup: request.cgroup,
    devices,
    taskUids: host.uids?.range ?? null,
    findings: new Map((input.findings ?? []).map(({ name, found }) => [name, found])),
    now,
  };
  const seen = checkFromHost(check, held);
  const lines = [...seen, diskLine(host.probes.get('disk_quota'), request, seen)];
  return request.tried === null ? untried(lines) : withTries(lines, request.tried ?? {});
}

/** What is looked for again while the task runs. */
export function runningChecks(
  { request, launch }: Pick<PreparedTask, 'request' | 'launch'>,
  killUnit: CheckInput['killUnit'],
): RunningChecks {
  return {
    ...(launch.subordinate === undefined ? {} : { subordinate: launch.subordinate.range }),
    limits: request.limits,
    killUnit,
    capabilities: request.wish.capabilities,
    writable: writablePaths(request.launch),
    // what the host mounts below one that follows it is as the host made it
    volumes: request.launch.mounts
      .filter((mount) => !mount.readOnly || followsHost(mount))
      .map((mount) => mount.taskPath),
    notAsked: notAsked(request),
    network: request.launch.network,
    disk: request.launch.directories.allocation,
    keepsCoreLimit: launch.inside?.rlimits.some(({ resource }) => resource === cores) === true,
  };
}

/** Lines the job gave up by its own choices: their absence is no loss. */
function notAsked({ launch, wish }: PrepareRequest): readonly string[] {
  return [
    ...(launch.network === null ? ['network_namespace', 'network_policy'] : []),
    ...(wish.coreDumps === true ? ['no_core_dumps'] : []),
    ...(wish.pidMode === 'host' ? ['pid_namespace'] : []),
    ...(wish.ipcMode === 'host' ? ['ipc_namespace'] : []),
    ...(wish.capabilities.length > 0 ? ['empty_capabilities'] : []),
  ];
}

/** Mount points a sandboxed task may write below; all others must be read-only. */
function writablePaths(launch: LaunchRequest): readonly string[] {
  const volumes = launch.mounts.filter((mount) => !mount.readOnly).map((mount) => mount.taskPath);
  const devices = launch.devices.map((device) => device.taskPath);
  return ['/', '/alloc', '/local', '/secrets', '/private', '/tmp', '/run', '/dev', '/proc', ...volumes, ...devices];
}

function belowFloor(rung: IsolationRung, floor: IsolationRung, why: string): Fault {
  return new Fault(
    'unsupported',
    `isolation floor "${floor}" is not reached: the task would run at "${rung}"; missing: ${why}`,
  );
}
