/** What can be seen of a held task from outside, before its first instruction: the evidence of its report. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { kernelLink, kernelNames, kernelText } from '../lib/node/kernel-file.ts';
import { type Mount, readMounts } from '../lib/node/mount-table.ts';
import type { Bounds } from './cgroup/bounds.ts';
import type { CgroupLimits } from './cgroup/limits.ts';
import { killDirectories, type TaskCgroup } from './cgroup/task-cgroup.ts';
import { deviceRules } from './device-trial.ts';
import type { LaunchRequest } from './launch/launch.ts';
import { affinityLine, coreDumpsLine, leftDirectories, limitChecks } from './limit-checks.ts';
import type { Mechanism } from './lines.ts';
import { maskedProc } from './masked-proc.ts';
import type { ProbeAnswer } from './mechanisms/probe.ts';
import { type IdRange, inRanges } from './users.ts';

/** What is known of a start for as long as its task runs; plain data. */
export interface RunningChecks {
  readonly limits: CgroupLimits | null;
  /** What is killed as one. */
  readonly killUnit: 'session' | 'cgroup' | 'pid-namespace';
  /** Empty unless the job asked for some. */
  readonly capabilities: readonly string[];
  /** Mount points that may be writable. */
  readonly writable: readonly string[];
  /** Places below which everything may be. */
  readonly volumes: readonly string[];
  /** Lines the task itself gives up. */
  readonly notAsked: readonly string[];
  /** Uids of the host of which the task has one, where the agent gave it another than its own without being root. */
  readonly subordinate?: IdRange;
  /** It was started with a filter that lets it change no limit on images of its memory. Default: false. */
  readonly keepsCoreLimit?: boolean;
  /** As it was asked for. */
  readonly network: LaunchRequest['network'];
  /** Its allocation's directory; absent: an older agent started it. */
  readonly disk?: string;
  /** What its start left in its control groups; absent: it is only about to start, or an older agent started it. */
  readonly bounds?: Bounds;
  /** Of version 1, as its start left them; absent or `''`: there were none to read. */
  readonly deviceRules?: string;
}

export interface CheckRequest extends RunningChecks {
  readonly pid: number;
  readonly cgroup: TaskCgroup | null;
  /** Uids of root's that only tasks have; null: the agent is not root. */
  readonly taskUids: IdRange | null;
  /** What the verifier found inside, by name; empty where it took no part. */
  readonly findings: ReadonlyMap<string, string>;
  /** What a child in its group could open (`tryDevices`); null: it was not tried. */
  readonly devices: ProbeAnswer | null;
  /** RFC 3339. */
  readonly now: string;
}

export interface HeldProcess {
  readonly status: ReadonlyMap<string, string>;
  readonly session: number;
  /** Those that stay open across execve, beyond 0–2. */
  /** Null: may not be read. */
  readonly openDescriptors: readonly number[] | null;
  readonly namespaces: ReadonlyMap<string, string>;
  readonly ownNamespaces: ReadonlyMap<string, string>;
  readonly ownUid: number;
  readonly ownSession: number;
  /** `/proc/<pid>/limits` */
  readonly limits: string;
  /** `/proc/<pid>/mountinfo`; null: the host's own, which has hundreds of lines where many tasks run. */
  readonly mounts: string | null;
}

const namespaceNames = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup'] as const;
const closeOnExec = 0o2000000;

export function readHeldProcess(pid: number): HeldProcess {
  const base = `/proc/${pid}`;
  own ??= { session: sessionOf('/proc/self'), namespaces: namespacesOf('/proc/self') };
  const namespaces = namespacesOf(base);
  const isShared = namespaces.get('mnt') === own.namespaces.get('mnt');
  return {
    status: parseStatus(kernelText(`${base}/status`)),
    session: sessionOf(base),
    ownSession: own.session,
    openDescriptors: openDescriptors(pid),
    namespaces,
    ownNamespaces: own.namespaces,
    limits: kernelText(`${base}/limits`),
    mounts: isShared ? null : kernelText(`${base}/mountinfo`),
    ownUid: process.getuid?.() ?? -1,
  };
}

/** The agent never changes its own. */
let own: { readonly session: number; readonly namespaces: ReadonlyMap<string, string> } | null = null;

function sessionOf(base: string): number {
  const stat = kernelText(`${base}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3] ?? 0);
}

function parseStatus(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf(':');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const];
    }),
  );
}

/** Root without CAP_SYS_PTRACE may list those of another's process, and read of none how it was opened. */
function openDescriptors(pid: number): readonly number[] | null {
  const open: number[] = [];
  for (const number of kernelNames(`/proc/${pid}/fd`)?.map(Number) ?? [Number.NaN]) {
    if (number <= 2) continue;
    const [, flags] = /^flags:\s*(\d+)/m.exec(kernelText(`/proc/${pid}/fdinfo/${number}`)) ?? [];
    if (flags === undefined) return null;
    if ((Number.parseInt(flags, 8) & closeOnExec) === 0) open.push(number);
  }
  return open;
}

function namespacesOf(base: string): ReadonlyMap<string, string> {
  return new Map(namespaceNames.map((name) => [name, kernelLink(`${base}/ns/${name}`)]));
}

type Line = (name: string, ok: boolean, evidence: string) => Mechanism;

/** Evidence for every line that can be seen from outside. */
export function checkFromHost(request: CheckRequest, held: HeldProcess): readonly Mechanism[] {
  const line: Line = (name, ok, evidence) => ({
    name,
    state: ok ? 'verified' : request.notAsked.includes(name) ? 'not_asked' : 'unavailable',
    // a report is stored and shown: a clause, not a listing
    evidence: evidence.length > 160 ? `${evidence.slice(0, 159)}…` : evidence,
    checkedAt: request.now,
  });
  return [
    line('session', held.session > 0 && held.session !== held.ownSession, `session ${held.session}`),
    killUnitLine(request, held, line),
    ...limitChecks(request, held.limits, line),
    coreDumpsLine(held.limits, request.keepsCoreLimit === true, line),
    ...affinityLine(request, held.status.get('Cpus_allowed_list') ?? '', line),
    ...identityLines(request, held, line),
    line('environment', true, 'built for the task; nothing is inherited'),
    descriptorLine(request, held, line),
    line('no_new_privs', held.status.get('NoNewPrivs') === '1', `NoNewPrivs ${held.status.get('NoNewPrivs') ?? '?'}`),
    line('seccomp', held.status.get('Seccomp') === '2', `Seccomp ${held.status.get('Seccomp') ?? '?'}`),
    capabilityLine(held, line),
    ...fileLines(request, held, line),
    devicesLine(request, held, line),
    networkPolicyLine(request, held, line),
    ...namespaceLines.map(([name, kind]) => line(name, separate(held, kind), namespaceEvidence(held, kind))),
    userNamespaceLine(held, line),
  ];
}

const namespaceLines = [
  ['mount_namespace', 'mnt'],
  ['pid_namespace', 'pid'],
  ['ipc_namespace', 'ipc'],
  ['uts_namespace', 'uts'],
  ['network_namespace', 'net'],
  ['cgroup_namespace', 'cgroup'],
] as const;

function separate(held: HeldProcess, kind: string): boolean {
  const theirs = held.namespaces.get(kind) ?? '';
  const differs = theirs !== '' && theirs !== held.ownNamespaces.get(kind);
  return differs && (kind !== 'pid' || innerPids(held).length >= 2);
}

function namespaceEvidence(held: HeldProcess, kind: string): string {
  const seen = held.namespaces.get(kind) ?? '';
  if (seen === '') return `its ${kind} namespace cannot be seen`;
  return separate(held, kind) ? seen : `shares the host's ${kind} namespace`;
}

/** The process's pid in each namespace, outermost first. */
function innerPids(held: HeldProcess): readonly string[] {
  return (held.status.get('NSpid') ?? '').split(/\s+/).filter((each) => each !== '');
}

function killUnitLine(request: CheckRequest, held: HeldProcess, line: Line): Mechanism {
  if (request.killUnit === 'cgroup') {
    const kills = new Set(request.cgroup === null ? [] : killDirectories(request.cgroup));
    const left = request.cgroup === null ? [] : leftDirectories(request.pid, request.cgroup);
    const outside = left.find(({ path }) => kills.has(path));
    return line('kill_unit', outside === undefined, outside === undefined ? 'cgroup' : `not in ${outside.path}`);
  }
  // the shim's own: the task is not its first process there
  if (request.killUnit === 'pid-namespace')
    return line('kill_unit', separate(held, 'pid'), namespaceEvidence(held, 'pid'));
  const isInit = separate(held, 'pid') && innerPids(held).at(-1) === '1';
  return line('kill_unit', isInit, isInit ? 'pid namespace, ended through its init' : 'session only: best effort');
}

function identityLines(request: CheckRequest, held: HeldProcess, line: Line): readonly Mechanism[] {
  const uids = idsOf(held, 'Uid');
  const gids = [...idsOf(held, 'Gid'), ...idsOf(held, 'Groups')];
  const [uid = -1] = uids;
  const text = uids.length === 0 ? '' : String(uid);
  const shared = uid === held.ownUid;
  const apart = ['pid', 'mnt', 'ipc'].every((kind) => separate(held, kind));
  const taskUids = request.subordinate ?? request.taskUids;
  const unique = taskUids === null ? apart : uids.every((each) => inRanges([taskUids], each));
  // subordinate gids have a range of their own
  const { taskUids: ownIds } = request;
  const foreign = ownIds === null || !unique ? [] : gids.filter((each) => !inRanges([ownIds], each));
  // without root an agent can shed no group, and an image has those that it has
  const groupOfRoot = ownIds !== null && gids.includes(0);
  const notRoot = uids.length > 0 && uids.every((each) => each > 0) && !groupOfRoot;
  return [
    line(
      'not_root',
      notRoot,
      uids.includes(0) ? `uid ${uids.join(' ')}` : groupOfRoot ? `uid ${text}, group 0` : `uid ${text}`,
    ),
    // an agent without root cannot give another one: then its own counts, and the evidence says so
    line('own_uid', uid >= 0 && (!shared || held.ownUid !== 0), shared ? "the agent's own uid" : `uid ${text}`),
    line(
      'unique_uid',
      uid > 0 && unique && foreign.length === 0,
      foreign.length > 0
        ? `uid ${text}, but group ${foreign.join(', ')}`
        : taskUids !== null
          ? `uid ${text}`
          : `shared uid: ${shared ? "the agent's" : text}`,
    ),
  ];
}

/** `Uid`, `Gid`: real, effective, saved and that of files; each of them counts. */
function idsOf({ status }: HeldProcess, name: 'Uid' | 'Gid' | 'Groups'): readonly number[] {
  return (status.get(name) ?? '').split(/\s+/).flatMap((each) => (each === '' ? [] : [Number(each)]));
}

function descriptorLine(request: CheckRequest, held: HeldProcess, line: Line): Mechanism {
  const inside = request.findings.get('descriptors');
  const open = held.openDescriptors?.join(' ') ?? inside;
  return line(
    'descriptors',
    open === '',
    open === '' ? 'only 0–2' : open === undefined ? 'cannot be seen' : `also ${open}`,
  );
}

function capabilityLine(held: HeldProcess, line: Line): Mechanism {
  const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(
    (name) => `${name} ${held.status.get(name) ?? '?'}`,
  );
  const empty = sets.every((each) => / 0+$/.test(each));
  return line('empty_capabilities', empty, empty ? 'all five sets empty' : sets.join(', '));
}

/** Every mount is read-only but those the task is to write, and its root is its own directory. */
function readOnlyLine(request: CheckRequest, held: HeldProcess, mounts: readonly Mount[], line: Line): Mechanism {
  if (held.mounts === null) return line('read_only_system', false, "the root is the host's");
  const root = mounts.findLast(({ point }) => point === '/');
  if (root === undefined) return line('read_only_system', false, 'the mounts cannot be seen');
  const { disk } = request;
  if (!separate(held, 'mnt') || (disk !== undefined && !root.root.split('/').includes(basename(disk))))
    return line('read_only_system', false, `the root is ${root.root} of ${root.source}, not the task's directory`);
  const allowed = (at: string): boolean =>
    request.writable.includes(at) ||
    ['/dev/', '/proc/', ...request.volumes.map((path) => `${path}/`)].some((prefix) => at.startsWith(prefix));
  const open = mounts.filter(({ point, options }) => !allowed(point) && !options.includes('ro'));
  const names = open.map(({ point }) => point).join(', ');
  return line(
    'read_only_system',
    open.length === 0,
    open.length === 0 ? `${mounts.length} mounts, only the task's own writable` : `writable: ${names}`,
  );
}

/** By nothing that says anything, or not to be written; the last mount of a place is the one that counts. */
function isCovered(path: string, mounts: readonly Mount[]): boolean {
  const top = mounts.findLast(({ point }) => point === path);
  if (top === undefined) return false;
  if (path === '/proc/sys') return top.options.includes('ro');
  return top.root.endsWith('/null') || (top.type === 'tmpfs' && top.options.includes('ro'));
}

/** The view of files as a whole: what is writable, whose root it is, what of /proc is covered. */
function fileLines(request: CheckRequest, held: HeldProcess, line: Line): readonly Mechanism[] {
  const mounts = readMounts(held.mounts ?? '');
  const readOnly = readOnlyLine(request, held, mounts, line);
  const bare = [...maskedProc, '/proc/sys'].filter((path) => !isCovered(path, mounts));
  return [
    readOnly,
    line(
      'root_file_system',
      readOnly.state === 'verified',
      readOnly.state === 'verified' ? "the task's directory with the system read-only" : readOnly.evidence,
    ),
    line(
      'masked_proc',
      bare.length === 0,
      bare.length === 0 ? 'kernel files of /proc are covered' : `not covered: ${bare.join(', ')}`,
    ),
  ];
}

/** What a task without root may have of devices: no file of one counts on a mount with `nodev`, and none can be made in its user namespace. */
const usual = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'pts', 'mqueue'].map((name) => `/dev/${name}`);

function devicesByMounts(held: HeldProcess, line: Line): Mechanism {
  const usable = readMounts(held.mounts ?? '').filter(({ options }) => !options.includes('nodev'));
  const others = usable.map(({ point }) => point).filter((at) => !usual.includes(at));
  const ok = held.mounts !== null && usable.length > 0 && others.length === 0 && separate(held, 'user');
  return line(
    'devices',
    ok,
    ok ? `${usable.length} mounts of /dev, all others nodev` : `devices count on: ${others.join(', ')}`,
  );
}

/** v1 can be read back; v2 filters devices by a program that cannot: there it counts what was tried. */
function devicesLine(request: CheckRequest, held: HeldProcess, line: Line): Mechanism {
  if (request.subordinate !== undefined) return devicesByMounts(held, line);
  const rules = deviceRules(request.cgroup);
  if (rules === '') {
    const { ok, evidence } = request.devices ?? { ok: false, evidence: 'no device rules' };
    return line('devices', ok, evidence);
  }
  const now = rules.split('\n');
  const before = request.deviceRules ?? '';
  const more = before === '' ? [] : now.filter((rule) => !before.split('\n').includes(rule));
  if (more.length > 0) return line('devices', false, `allowed since its start: ${more.join(', ')}`);
  const denied = !now.some((rule) => rule.startsWith('a '));
  return line('devices', denied, denied ? `${now.length} devices allowed` : 'all devices are allowed');
}

/** Nothing but loopback, or the namespace whose policy was tried from inside before the task came. */
function networkPolicyLine(request: CheckRequest, held: HeldProcess, line: Line): Mechanism {
  const say = (ok: boolean, evidence: string): Mechanism => line('network_policy', ok, evidence);
  if (!separate(held, 'net')) return say(false, "the host's network: no policy");
  const devices = kernelText(`/proc/${request.pid}/net/dev`);
  const names = [...devices.matchAll(/^\s*([^\s:]+):/gm)].map(([, name]) => name);
  if (names.length === 1 && names[0] === 'lo') return say(true, 'nothing but loopback');
  if (request.network === null || request.network === 'none') return say(false, `not known for ${names.join(', ')}`);
  const { path, egress } = request.network;
  const wanted = statSync(path, { throwIfNoEntry: false });
  if (held.namespaces.get('net') !== `net:[${wanted?.ino}]`) return say(false, `not the namespace ${path}`);
  return say(egress.startsWith('verified'), egress || `who made ${path} says nothing of a policy`);
}

function userNamespaceLine(held: HeldProcess, line: Line): Mechanism {
  const [uid = ''] = (held.status.get('Uid') ?? '').split(/\s+/);
  const apart = separate(held, 'user') && Number(uid) >= 100_000;
  return line(
    'user_namespace',
    apart,
    apart ? `${held.namespaces.get('user') ?? ''}, uid ${uid} of the host` : 'no ids of its own',
  );
}
