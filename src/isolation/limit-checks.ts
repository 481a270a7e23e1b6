/** Whether a held task's limits are really there: read back from its cgroup, or from its rlimits where it has none. */
import { join } from 'node:path';
import { kernelText } from '../lib/node/kernel-file.ts';
import { type Bounds, boundsDrift } from './cgroup/bounds.ts';
import { type CgroupLimits, cpuList, limitFiles, sameLimit } from './cgroup/limits.ts';
import { boundsTask, readCgroupFile, type TaskCgroup } from './cgroup/task-cgroup.ts';
import type { Mechanism } from './lines.ts';
import { coreLimitName, data as dataOf, limitIn, processes as processesOf, resourceLimits } from './rlimits.ts';

export interface LimitRequest {
  readonly pid: number;
  readonly cgroup: TaskCgroup | null;
  readonly limits: CgroupLimits | null;
  /** As its start left them; absent: it is only about to start. */
  readonly bounds?: Bounds;
}

type Line = (name: string, ok: boolean, evidence: string) => Mechanism;

export function limitChecks(request: LimitRequest, rlimits: string, line: Line): readonly Mechanism[] {
  const { cgroup, limits } = request;
  if (!boundsTask(cgroup) || limits === null) return byRlimits(rlimits, limits, line);
  const version = cgroup.directories.find((each) => each.controllers.includes('memory'))?.version;
  const pids = readCgroupFile(cgroup, 'pids', 'pids.max');
  const memory = readCgroupFile(cgroup, 'memory', version === 2 ? 'memory.max' : 'memory.limit_in_bytes');
  const outside = leftDirectories(request.pid, cgroup);
  const joined = (controller: string): boolean => !outside.some((each) => each.controllers.includes(controller));
  const pidsOk = joined('pids') && limits.pids !== null && sameLimit('pids.max', pids, String(limits.pids));
  const memoryOk =
    joined('memory') && limits.memoryBytes !== null && sameLimit('memory.max', memory, String(limits.memoryBytes));
  const why = (controller: string): string => (joined(controller) ? '' : ', but the task is not in that cgroup');
  const [first] = outside;
  const { bounds } = request;
  const drift = bounds === undefined ? limitDrift(cgroup, limits) : boundsDrift(cgroup, bounds);
  const others = [...drift, ...unheld(cgroup, limits)];
  const seen = [`pids.max ${pids || 'absent'}, memory ${memory || 'absent'}`, ...others].join(', ');
  return [
    line('pids_limit', pidsOk, `pids.max ${pids || 'absent'}${why('pids')}`),
    line('memory_limit', memoryOk, `${memory || 'no'} bytes${why('memory')}`),
    line(
      'cgroup_limits',
      pidsOk && memoryOk && first === undefined && others.length === 0,
      first === undefined ? seen : `the task is not in ${first.path}`,
    ),
  ];
}

/** Images of its memory: `kept`, its filter lets it change no limit on them. */
export function coreDumpsLine(limits: string, kept: boolean, line: Line): Mechanism {
  const { soft, hard } = limitIn(limits, coreLimitName);
  const none = soft === '1' && hard === '1' && kept;
  const why = hard === '0' ? ", the agent's own: a program that core_pattern names is given them all the same" : '';
  return line('no_core_dumps', none, none ? 'limit 1, which it cannot change' : `limit ${soft || 'unknown'}${why}`);
}

/** Processors of its own that no control group holds the task to: the kernel's scheduler does, until the task asks it for others. */
export function byAffinity(cgroup: TaskCgroup | null, limits: CgroupLimits | null): readonly number[] {
  const held = cgroup?.directories.some(({ ours, controllers }) => ours && controllers.includes('cpuset')) === true;
  return held || limits === null || limits.cpusetCpus === '' ? [] : cpuList(limits.cpusetCpus);
}

/** `allowed`: as `/proc/<pid>/status` has it. */
export function affinityLine({ cgroup, limits }: LimitRequest, allowed: string, line: Line): readonly Mechanism[] {
  const wanted = byAffinity(cgroup, limits);
  if (wanted.length === 0) return [];
  const same = cpuList(allowed).join() === wanted.join();
  const evidence = same
    ? `affinity: ${allowed}; no cgroup, so the task may take others`
    : `${allowed}, not ${limits?.cpusetCpus}`;
  return [line('processors', same, evidence)];
}

/** Those of its cgroup's directories that the process is not in; one that is gone is among them. */
export function leftDirectories(pid: number, cgroup: TaskCgroup): TaskCgroup['directories'] {
  const rows = kernelText(`/proc/${pid}/cgroup`)
    .split('\n')
    .map((row) => /^\d+:([^:]*):(.*)$/.exec(row));
  return cgroup.directories.filter(({ version, controllers, ours }) => {
    const own = rows.find((row) =>
      version === 2
        ? row?.[1] === ''
        : row !== null &&
          (row?.[1] ?? '')
            .replace('blkio', 'io')
            .split(',')
            .some((name) => controllers.includes(name)),
    );
    return ours && !(own?.[2] ?? '').split('/').includes(cgroup.name);
  });
}

/** Limits beside those that have a line of their own that are not what was asked: `"cpu.shares 2, not 100"`. */
function limitDrift(cgroup: TaskCgroup, limits: CgroupLimits): readonly string[] {
  return cgroup.directories
    .filter(({ ours }) => ours)
    .flatMap(({ version, path, controllers }) =>
      limitFiles(limits, version)
        .filter(({ controller, optional }) => controllers.includes(controller) && !optional)
        .filter(({ controller }) => controller !== 'pids' && controller !== 'memory')
        .flatMap(({ file, value }) => {
          const now = kernelText(join(path, file)).trim();
          return sameLimit(file, now, value) ? [] : [`${file} ${now || 'absent'}, not ${value}`];
        }),
    );
}

/** Controllers of limits that were asked for which no directory has: `"no cpu controller"`. */
function unheld(cgroup: TaskCgroup | null, limits: CgroupLimits): readonly string[] {
  const held = new Set(cgroup?.directories.flatMap(({ controllers }) => controllers));
  const wanted = limitFiles(limits, 2).filter(({ optional }) => !optional);
  const missing = new Set(wanted.map(({ controller }) => controller).filter((name) => !held.has(name)));
  return [...missing].map((name) => `no ${name} controller`);
}

/** Limits that hosts give every process are none of the task's; and one that it may lift itself is none. */
function byRlimits(text: string, limits: CgroupLimits | null, line: Line): readonly Mechanism[] {
  const wanted = limits === null ? [] : resourceLimits(limits);
  const held = (resource: number, name: string): string | null => {
    const most = wanted.find((each) => each.resource === resource)?.hard;
    const { soft, hard } = limitIn(text, name);
    return most !== undefined && /^\d+$/.test(hard) && BigInt(hard) <= most ? soft : null;
  };
  const processes = held(processesOf, 'Max processes');
  const data = held(dataOf, 'Max data size');
  return [
    line(
      'pids_limit',
      processes !== null,
      processes === null ? 'no cgroup, no rlimit' : `rlimit: ${processes} processes of this uid`,
    ),
    line(
      'memory_limit',
      data !== null,
      data === null ? 'no cgroup, no rlimit' : `rlimit: ${data} bytes of data for each process`,
    ),
    line('cgroup_limits', false, `no cgroup: ${unboundOf(limits)} not held`),
  ];
}

/** What rlimits know nothing of. A priority would not hold it either: each task is a session of its own, and kernels divide by sessions first. */
function unboundOf(limits: CgroupLimits | null): string {
  const more = [
    ...(limits?.cpuCores === undefined ? [] : ['its part of a core']),
    ...(limits?.ioWeight === undefined ? [] : ['its weight on disks']),
  ];
  return more.length === 0 ? 'its share of processors is' : `its share of processors, ${more.join(', ')} are`;
}
