/**
 * What isolation this host can give, by probes that really do the thing: found out at the first start of an agent after a boot, kept while
 * nothing changes that it rests on, looked at again on SIGHUP.
 */
import { chmodSync, existsSync } from 'node:fs';
import { chmod, mkdtemp, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { IsolationRung } from '../driver/contract.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { kernelText } from '../lib/node/kernel-file.ts';
import { type CgroupHost, noCgroups, openCgroups } from './cgroup/hierarchy.ts';
import { DiskQuotas, diskQuotaProbe, projectIds } from './disk-quota.ts';
import { probesElsewhere } from './elsewhere.ts';
import { defaultSystemPaths, findSystemPaths, type SystemPath } from './launch/system-paths.ts';
import { bwrapProbe, type FoundBwrap, findBwrap } from './mechanisms/bwrap.ts';
import { cgroupProbes } from './mechanisms/cgroup.ts';
import { kernelProbes } from './mechanisms/kernel.ts';
import { namespaceProbes } from './mechanisms/namespaces.ts';
import { ociProbe, ociRuntimes } from './mechanisms/oci.ts';
import { type ChildOptions, type ProbeResult, probe, runChild } from './mechanisms/probe.ts';
import { unshareProbe } from './mechanisms/unshare.ts';
import { type VerifierProbe, verifierProbes } from './mechanisms/verifier.ts';
import { closedAbove, throughPassage } from './passage.ts';
import { starvedProbe } from './process-room.ts';
import { openProofs, type Proofs, passingProofs, proofKey } from './proofs.ts';
import { bestRung } from './rungs.ts';
import { hostFilter } from './seccomp/compile.ts';
import { probeSubordinates, SubordinateIds, type SubordinateMap } from './subordinate.ts';
import { givenRanges } from './subordinate-rows.ts';
import { defaultTaskUids, TaskUids } from './uids.ts';
import type { IdRange } from './users.ts';

/** One object for the life of the agent: `refresh` changes what it says. */
export interface IsolationHost {
  readonly cgroups: CgroupHost;
  /** The agent's own uid; 0 can give tasks other ones. */
  readonly uid: number;
  /** By name, e.g. `runtime.bwrap`, `seccomp`, `cgroup.pids`. */
  readonly probes: ReadonlyMap<string, ProbeResult>;
  /** The best rung a task that asks for no network of its own can reach here. */
  readonly best: IsolationRung;
  readonly bwrap: FoundBwrap | null;
  /** Host path. */
  readonly verifier: string | null;
  readonly system: readonly SystemPath[];
  /** Null: the agent is not root. */
  readonly uids: TaskUids | null;
  /** Ids for tasks of an agent without root; null: it is root, or they all have its own. */
  readonly subordinate: SubordinateIds | null;
  readonly seccomp: Uint8Array | null;
  /** Null: nothing here could bind what allocations write to disk. */
  readonly disk: DiskQuotas | null;
  /** The mount that the tasks' mounts hang below; null: there is none, they are anywhere. */
  readonly taskMounts: string | null;
  /** Where allocations' directories are; empty where nothing is promised. */
  readonly taskRoot: string;
  /** Of what the probes found and what trial tasks then had. */
  readonly proofs: Proofs;
  /** The tasks of the allocation in directory `from` have ended, and their files are moved to that in `to`: so are the ids they belong to. */
  passIds(from: string, to: string): void;
  /** Probes everything anew; resolves with the names of mechanisms that worked before and do not now. */
  refresh(): Promise<readonly string[]>;
}

/** Of a look at the host, as opposed to what was configured. */
type Look = Pick<IsolationHost, 'cgroups' | 'probes' | 'best' | 'bwrap' | 'system' | 'subordinate' | 'proofs'>;

export interface IsolationOptions {
  /** Below each hierarchy: `"drover.slice"`. */
  readonly cgroupParent: string;
  /** Null: not built. */
  readonly verifier: VerifierProbe | null;
  /** The agent's own directory, for claims of uids. */
  readonly stateDirectory: string;
  /** Where allocations' directories are. */
  readonly taskRoot: string;
  /** The operator's `chroot_env`: host path → path inside. */
  readonly systemPaths?: Readonly<Record<string, string>>;
  readonly taskUids?: IdRange;
  /** An agent without root gives tasks subordinate ids: whoever removes their files must know that. Default: false. */
  readonly subordinateIds?: boolean;
  /** What allocations write to disk is bound, where the file system can. Default: true. */
  readonly diskQuota?: boolean;
  /** What `gatherTaskMounts` found. Default: null. */
  readonly taskMounts?: string | null;
}

/** Promises nothing: for drivers that need no isolation. */
export const noIsolation: IsolationHost = {
  cgroups: noCgroups,
  uid: process.getuid?.() ?? -1,
  probes: new Map(),
  best: 'none',
  bwrap: null,
  verifier: null,
  system: [],
  uids: null,
  subordinate: null,
  seccomp: null,
  disk: null,
  taskMounts: null,
  taskRoot: '',
  proofs: passingProofs(),
  passIds: () => undefined,
  refresh: async () => [],
};

/** Takes about 0.5 s where nothing is known from before; nothing elsewhere than on Linux (`elsewhere.ts`). */
export async function openIsolation(options: IsolationOptions): Promise<IsolationHost> {
  const uid = process.getuid?.() ?? -1;
  if (process.platform !== 'linux') {
    // only where users are numbers does a directory say by its mode whom it lets in
    const closed = uid === 0 ? closedAbove(options.taskRoot) : null;
    return { ...noIsolation, probes: probesElsewhere({ uid, closed }) };
  }
  const range = options.taskUids ?? defaultTaskUids;
  const host: IsolationHost = {
    ...(await look(options, false, null)),
    uid,
    verifier: options.verifier?.program ?? null,
    uids:
      uid === 0
        ? new TaskUids(
            join(options.stateDirectory, 'uids'),
            { first: range.first, last: range.last - 1 },
            ['/etc/subuid', '/etc/subgid'].flatMap((path) => givenRanges(kernelText(path))),
          )
        : null,
    seccomp: hostFilter(),
    disk: disksOf(options, () => host.probes.get('disk_quota')?.ok === true),
    taskMounts: options.taskMounts ?? null,
    taskRoot: options.taskRoot,
    passIds: (from, to) => (host.uids ?? host.subordinate)?.pass(from, to),
    async refresh() {
      const before = host.probes;
      Object.assign(host, await look(options, true, host.subordinate));
      return [...before.values()]
        .filter(({ name, ok }) => ok && host.probes.get(name)?.ok !== true)
        .map(({ name }) => name);
    },
  };
  return host;
}

function disksOf({ verifier, stateDirectory }: IsolationOptions, works: () => boolean): DiskQuotas | null {
  if (verifier === null) return null;
  const range = { first: projectIds.first, last: projectIds.last - 1 };
  return new DiskQuotas({
    verifier: verifier.program,
    claims: new TaskUids(join(stateDirectory, 'projects'), range),
    works,
  });
}

/** `fresh`: what was proved before counts no more. */
async function look(options: IsolationOptions, fresh: boolean, held: SubordinateIds | null): Promise<Look> {
  const uid = process.getuid?.() ?? -1;
  const range = options.taskUids ?? defaultTaskUids;
  const [cgroups, bwrap, system] = await Promise.all([
    openCgroups(options.cgroupParent),
    findBwrap(),
    findSystemPaths(options.systemPaths ?? defaultSystemPaths),
  ]);
  // the agent's, before any task is here; who made it may keep others out
  if (uid === 0 && !existsSync(options.taskRoot)) {
    makeDirectories(options.taskRoot, 0o711);
    chmodSync(options.taskRoot, 0o711);
  }
  const { verifier, taskRoot, cgroupParent } = options;
  const key = proofKey({
    taskRoot,
    programs: [
      ...(verifier === null ? [] : [verifier.program, join(dirname(verifier.program), 'drover-shim')]),
      fileURLToPath(import.meta.url),
    ],
    options: [cgroupParent, system, range, cgroups, options.subordinateIds, options.diskQuota],
  });
  const proofs = await openProofs(join(options.stateDirectory, 'proofs.json'), key, fresh);
  const known = proofs.get('probes') as readonly ProbeResult[] | undefined;
  const results = known ?? (await probeAll(options, { cgroups, bwrap, uid, range, proofs }));
  const probes = new Map(results.map((each) => [each.name, each]));
  // what could not even be tried is no proof of anything
  if (known === undefined && starvedProbe(probes) === null) proofs.set('probes', results);
  const map = (proofs.get('subordinates') ?? null) as SubordinateMap | null;
  const subordinate =
    map === null
      ? null
      : held?.isFor(map) === true
        ? held
        : new SubordinateIds(map, join(options.stateDirectory, 'uids'));
  return { cgroups, probes, best: bestRung(probes), bwrap, system, subordinate, proofs };
}

async function probeAll(
  options: IsolationOptions,
  {
    cgroups,
    bwrap,
    uid,
    range,
    proofs,
  }: { cgroups: CgroupHost; bwrap: FoundBwrap | null; uid: number; range: IdRange; proofs: Proofs },
): Promise<readonly ProbeResult[]> {
  const verifier = options.verifier === null ? [] : [options.verifier.program];
  // the last of the range is the probes' own
  const as: ChildOptions = uid === 0 ? { uid: range.last, gid: range.last } : {};
  const results = await Promise.all([
    ...namespaceProbes(as),
    ...kernelProbes(verifier[0] ?? null, as),
    diskQuotaProbe(options.diskQuota !== false, verifier[0] ?? null, options.taskRoot, range.last),
    bwrapProbe(bwrap, as),
    unshareProbe(options.taskRoot, as),
    ...ociRuntimes.map((runtime) => ociProbe(runtime, { cgroups, taskRoot: options.taskRoot, uid: range.last })),
    probe('reachable', () => reachable(options.taskRoot, verifier, uid, range.last)),
    cgroupProbes(cgroups),
    verifierProbes(options.verifier, as),
    subordinateProbe(uid, proofs, options.subordinateIds === true),
  ]);
  return results.flat();
}

function subordinateProbe(uid: number, proofs: Proofs, wanted: boolean): Promise<ProbeResult> {
  return probe('subordinate_ids', async () => {
    if (uid === 0) return { ok: true, evidence: 'not needed: root gives tasks any id' };
    if (!wanted) return { ok: false, evidence: 'off: client { isolation { subordinate_ids = false } }' };
    const { answer, map } = await probeSubordinates();
    proofs.set('subordinates', map);
    return answer;
  });
}

/**
 * A task's own uid has to get to the task's directory and to the verifier. Where a directory above is closed to others, a start covers it
 * in a mount namespace of its own: tried here under the probes' uid.
 */
async function reachable(
  taskRoot: string,
  programs: readonly string[],
  uid: number,
  as: number,
): Promise<{ ok: boolean; evidence: string }> {
  if (uid !== 0) return { ok: true, evidence: "tasks have the agent's uid" };
  // the directory of tasks' directories may be closed itself
  const task = await mkdtemp(join(taskRoot, '.probe-'));
  try {
    await chmod(task, 0o711);
    return await reachableFor(as, [task, ...programs]);
  } finally {
    await rmdir(task);
  }
}

async function reachableFor(as: number, paths: readonly string[]): Promise<{ ok: boolean; evidence: string }> {
  const covered: string[] = [];
  for (const path of paths) {
    const closed = closedAbove(path);
    if (closed === null) continue;
    const look = ['setpriv', `--reuid=${as}`, `--regid=${as}`, '--clear-groups', 'test', '-x', path];
    const done = await runChild(throughPassage(path, look));
    const remedy = `${closed} lets other users not pass and cannot be covered: chmod o+x ${closed}, or another data_dir`;
    if (done.code !== 0) return { ok: false, evidence: `${remedy} (${done.stderr.trim()})` };
    covered.push(closed);
  }
  const [first] = covered;
  const evidence = first === undefined ? 'no directory is closed to other users' : `${first} is covered for each start`;
  return { ok: true, evidence };
}
