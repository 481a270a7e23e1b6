/** What isolation this host can give: found out once per agent start by probes that really do the thing. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { IsolationRung } from '../driver/contract.ts';
import { type CgroupHost, noCgroups, openCgroups } from './cgroup/hierarchy.ts';
import { defaultSystemPaths, findSystemPaths, type SystemPath } from './launch/system-paths.ts';
import { bwrapProbe, type FoundBwrap, findBwrap } from './mechanisms/bwrap.ts';
import { cgroupProbes } from './mechanisms/cgroup.ts';
import { namespaceProbes } from './mechanisms/namespaces.ts';
import { ociProbe, ociRuntimes } from './mechanisms/oci.ts';
import { type ChildOptions, type ProbeResult, probe, runChild } from './mechanisms/probe.ts';
import { unshareProbe } from './mechanisms/unshare.ts';
import { type VerifierProbe, verifierProbes } from './mechanisms/verifier.ts';
import { closedAbove, throughPassage } from './passage.ts';
import { bestRung } from './rungs.ts';
import { hostFilter } from './seccomp/compile.ts';
import { defaultTaskUids, TaskUids } from './uids.ts';
import type { IdRange } from './users.ts';

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
  /** Null: the agent is not root, every task has its uid. */
  readonly uids: TaskUids | null;
  readonly seccomp: Uint8Array | null;
  /** The mount that the tasks' mounts hang below; null: there is none, they are anywhere. */
  readonly taskMounts: string | null;
  /** Where allocations' directories are; empty where nothing is promised. */
  readonly taskRoot: string;
}

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
  seccomp: null,
  taskMounts: null,
  taskRoot: '',
};

/** Takes about 0.3 s. */
export async function openIsolation(options: IsolationOptions): Promise<IsolationHost> {
  if (process.platform !== 'linux') return noIsolation;
  const uid = process.getuid?.() ?? -1;
  const range = options.taskUids ?? defaultTaskUids;
  const verifier = options.verifier === null ? [] : [options.verifier.program];
  // the last of the range is the probes' own
  const as: ChildOptions = uid === 0 ? { uid: range.last, gid: range.last } : {};
  const [cgroups, bwrap, system] = await Promise.all([
    openCgroups(options.cgroupParent),
    findBwrap(),
    findSystemPaths(options.systemPaths ?? defaultSystemPaths),
  ]);
  // the agent's, before any task is here
  if (uid === 0) await mkdir(options.taskRoot, { recursive: true, mode: 0o711 });
  const results = await Promise.all([
    ...namespaceProbes(as),
    bwrapProbe(bwrap, as),
    unshareProbe(options.taskRoot, as),
    ...ociRuntimes.map((runtime) =>
      ociProbe(runtime, { cgroupParent: options.cgroupParent, taskRoot: options.taskRoot, uid: range.last }),
    ),
    probe('reachable', () => reachable([options.taskRoot, ...verifier], uid, range.last)),
    cgroupProbes(cgroups),
    verifierProbes(options.verifier, as),
  ]);
  const probes = new Map(results.flat().map((each) => [each.name, each]));
  return {
    cgroups,
    uid,
    probes,
    best: bestRung(probes),
    bwrap,
    verifier: options.verifier?.program ?? null,
    system,
    uids:
      uid === 0
        ? new TaskUids(join(options.stateDirectory, 'uids'), { first: range.first, last: range.last - 1 })
        : null,
    seccomp: hostFilter(),
    taskMounts: options.taskMounts ?? null,
    taskRoot: options.taskRoot,
  };
}

/**
 * A task's own uid has to get to the task's directory and to the verifier. Where a directory above is closed to others, a start covers it
 * in a mount namespace of its own: tried here under the probes' uid.
 */
async function reachable(
  paths: readonly string[],
  uid: number,
  as: number,
): Promise<{ ok: boolean; evidence: string }> {
  if (uid !== 0) return { ok: true, evidence: "tasks have the agent's uid" };
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
