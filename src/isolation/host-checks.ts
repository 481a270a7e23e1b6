/** What can be seen of a held task from outside, before its first instruction: the evidence of its report. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { CgroupLimits } from './cgroup/limits.ts';
import { readCgroupFile, type TaskCgroup } from './cgroup/task-cgroup.ts';
import type { Mechanism } from './lines.ts';

export interface CheckRequest {
  readonly pid: number;
  readonly cgroup: TaskCgroup | null;
  readonly limits: CgroupLimits | null;
  /** What is killed as one. */
  readonly killUnit: 'session' | 'cgroup' | 'pid-namespace';
  /** Empty unless the job asked for some. */
  readonly capabilities: readonly string[];
  /** RFC 3339. */
  readonly now: string;
}

export interface HeldProcess {
  readonly status: ReadonlyMap<string, string>;
  readonly session: number;
  /** Those that stay open across execve, beyond 0–2. */
  readonly openDescriptors: readonly number[];
  readonly namespaces: ReadonlyMap<string, string>;
  readonly ownNamespaces: ReadonlyMap<string, string>;
  readonly ownUid: number;
  readonly ownSession: number;
}

const namespaceNames = ['mnt', 'pid', 'net', 'ipc', 'uts', 'user', 'cgroup'] as const;
const closeOnExec = 0o2000000;

export async function readHeldProcess(pid: number): Promise<HeldProcess> {
  const base = `/proc/${pid}`;
  const [status, session, ownSession, descriptors, namespaces, ownNamespaces] = await Promise.all([
    readFile(`${base}/status`, 'utf8').catch(() => ''),
    sessionOf(base),
    sessionOf('/proc/self'),
    openDescriptors(pid),
    namespacesOf(base),
    namespacesOf('/proc/self'),
  ]);
  return {
    status: parseStatus(status),
    session,
    ownSession,
    openDescriptors: descriptors,
    namespaces,
    ownNamespaces,
    ownUid: process.getuid?.() ?? -1,
  };
}

async function sessionOf(base: string): Promise<number> {
  const stat = await readFile(`${base}/stat`, 'utf8').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3] ?? 0);
}

export function parseStatus(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf(':');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const];
    }),
  );
}

async function openDescriptors(pid: number): Promise<readonly number[]> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const kept = await Promise.all(
    names.map(async (name) => {
      if (Number(name) <= 2) return null;
      const info = await readFile(`/proc/${pid}/fdinfo/${name}`, 'utf8').catch(() => '');
      const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '0', 8);
      return (flags & closeOnExec) === 0 ? Number(name) : null;
    }),
  );
  return kept.filter((each) => each !== null);
}

async function namespacesOf(base: string): Promise<ReadonlyMap<string, string>> {
  const rows = await Promise.all(
    namespaceNames.map(async (name) => [name, await readlink(`${base}/ns/${name}`).catch(() => '')] as const),
  );
  return new Map(rows);
}

/** Evidence for the lines of rung `process` and what of the others can be seen from outside. */
export async function checkFromHost(request: CheckRequest, held: HeldProcess): Promise<readonly Mechanism[]> {
  const line = (name: string, ok: boolean, evidence: string): Mechanism => ({
    name,
    state: ok ? 'verified' : 'unavailable',
    evidence,
    checkedAt: request.now,
  });
  const [uid = ''] = (held.status.get('Uid') ?? '').split(/\s+/);
  const separate = (name: string): boolean => {
    const theirs = held.namespaces.get(name) ?? '';
    return theirs !== '' && theirs !== held.ownNamespaces.get(name);
  };
  const namespace = (name: string, kind: string): Mechanism =>
    line(
      name,
      separate(kind),
      separate(kind) ? (held.namespaces.get(kind) ?? '') : `shares the host's ${kind} namespace`,
    );
  const capabilities = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(
    (name) => `${name} ${held.status.get(name) ?? '?'}`,
  );
  const empty = capabilities.every((each) => / 0+$/.test(each));
  const nested = (held.status.get('NSpid') ?? '').split(/\s+/).filter((each) => each !== '').length;
  return [
    line('session', held.session > 0 && held.session !== held.ownSession, `session ${held.session}`),
    line(
      'kill_unit',
      request.killUnit !== 'session',
      request.killUnit === 'session' ? 'session only: best effort' : request.killUnit,
    ),
    ...(await limitLines(request, line)),
    line('not_root', uid !== '' && uid !== '0', `uid ${uid}`),
    // an agent without root cannot give another one: then its own counts, and the evidence says so
    line(
      'own_uid',
      uid !== '' && (Number(uid) !== held.ownUid || held.ownUid !== 0),
      Number(uid) === held.ownUid ? "the agent's own uid" : `uid ${uid}`,
    ),
    line('environment', true, 'built for the task; nothing is inherited'),
    line(
      'descriptors',
      held.openDescriptors.length === 0,
      held.openDescriptors.length === 0 ? 'only 0–2' : `also ${held.openDescriptors.join(', ')}`,
    ),
    line('no_new_privs', held.status.get('NoNewPrivs') === '1', `NoNewPrivs ${held.status.get('NoNewPrivs') ?? '?'}`),
    line('seccomp', held.status.get('Seccomp') === '2', `Seccomp ${held.status.get('Seccomp') ?? '?'}`),
    line('empty_capabilities', empty, empty ? 'all five sets empty' : capabilities.join(', ')),
    { ...namespace('pid_namespace', 'pid'), ...(nested >= 2 ? {} : { state: 'unavailable' as const }) },
    namespace('mount_namespace', 'mnt'),
    namespace('ipc_namespace', 'ipc'),
    namespace('uts_namespace', 'uts'),
    namespace('network_namespace', 'net'),
    namespace('cgroup_namespace', 'cgroup'),
    namespace('user_namespace', 'user'),
  ];
}

type Line = (name: string, ok: boolean, evidence: string) => Mechanism;

async function limitLines(request: CheckRequest, line: Line): Promise<readonly Mechanism[]> {
  const { cgroup, limits } = request;
  if (cgroup === null || limits === null) {
    return [
      line('pids_limit', false, 'no cgroup'),
      line('memory_limit', false, 'no cgroup'),
      line('cgroup_limits', false, 'no cgroup'),
    ];
  }
  const version = cgroup.directories.find((each) => each.controllers.includes('memory'))?.version;
  const pids = await readCgroupFile(cgroup, 'pids', 'pids.max');
  const memory = await readCgroupFile(cgroup, 'memory', version === 2 ? 'memory.max' : 'memory.limit_in_bytes');
  const joined = await isInGroup(request.pid, cgroup);
  const pidsOk = joined && limits.pids !== null && pids === String(limits.pids);
  const memoryOk = joined && limits.memoryBytes !== null && Math.abs(Number(memory) - limits.memoryBytes) < 65_536;
  const why = joined ? '' : ', but the task is not in its cgroup';
  return [
    line('pids_limit', pidsOk, `pids.max ${pids || 'absent'}${why}`),
    line('memory_limit', memoryOk, `${memory || 'no'} bytes${why}`),
    line('cgroup_limits', pidsOk && memoryOk, `pids.max ${pids || 'absent'}, memory ${memory || 'absent'}${why}`),
  ];
}

async function isInGroup(pid: number, cgroup: TaskCgroup): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return text.split('\n').some((row) => row.split('/').includes(cgroup.name));
}
