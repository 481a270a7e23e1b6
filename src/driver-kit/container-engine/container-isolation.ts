/** What isolation a container really got: its main process looked at from the host, as every other task's is. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IsolationReport, IsolationRung, TaskConfig } from '../../driver/contract.ts';
import type { CgroupHost } from '../../isolation/cgroup/hierarchy.ts';
import type { CgroupLimits } from '../../isolation/cgroup/limits.ts';
import type { TaskCgroup } from '../../isolation/cgroup/task-cgroup.ts';
import { tryDevices } from '../../isolation/device-trial.ts';
import { checkFromHost, type HeldProcess, readHeldProcess } from '../../isolation/host-checks.ts';
import { type Mechanism, missingLine, rungOf } from '../../isolation/lines.ts';
import { leftInGroups, recheck } from '../../isolation/recheck.ts';
import { type Tried, untried, withTries } from '../../isolation/tries.ts';
import { Fault } from '../../lib/fault.ts';
import { readMounts } from '../../lib/node/mount-table.ts';
import { isAlive, startTimeOf } from '../../supervise/this-host.ts';
import { launchNetwork } from '../start-command.ts';
import { locateVerifier } from '../verifier-program.ts';

export interface ContainerTrial {
  /** From inside. */
  readonly tried: Tried;
  /** From the host while it ran. */
  readonly seen: readonly Mechanism[];
}

export interface ContainerCheck {
  /** The engine's runtime: `"docker 20.10.24 (runc)"`. */
  readonly runtime: string;
  /** Host pid of the main process; 0: not to be seen from here. */
  readonly pid: number;
  /** `"the container ended with 1 before it was looked at"`; empty: it runs. */
  readonly ended: string;
  readonly limits: CgroupLimits;
  readonly cgroups: CgroupHost;
  readonly floor: IsolationRung;
  /** Lines that must be there whatever the rung. */
  readonly required: readonly string[];
  /** Of a container made alike; null: there could be none, and so nothing is promised. */
  readonly trial: ContainerTrial | null;
  /** The network of the group, if it has one of the agent's making. */
  readonly network: TaskConfig['network'];
  /** Its ids of the host are not its alone. */
  readonly sharesIds: boolean;
  /** Places inside that are the task's to write. */
  readonly writable: readonly string[];
  /** Its filter lets it change no limit on images of its memory. Default: false, of a container that an older agent started. */
  readonly keepsCoreLimit?: boolean;
}

/** Files that the engine makes for each container; the task may change its own. */
const ownFiles = [
  '/',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  '/run/.containerenv',
  '/dev',
  '/proc',
  '/run',
  '/tmp',
];

/** `Fault('unsupported')` naming the missing line where the container is below its floor. */
export async function checkContainer(check: ContainerCheck): Promise<IsolationReport> {
  const { trial } = check;
  const found = await linesOf(check);
  const mechanisms = trial === null ? untried(found) : withTries(found, trial.tried);
  const rung = rungOf(mechanisms);
  const missing = missingLine(mechanisms, check.floor, check.required);
  if (missing !== null) {
    const why = mechanisms.length > 0 ? missing : check.ended || "the container's processes cannot be seen from here";
    throw new Fault(
      'unsupported',
      `isolation floor "${check.floor}" is not reached: the task would run at "${rung}"; missing: ${why}`,
    );
  }
  const required = check.required.length === 0 ? {} : { required: check.required };
  return { rung, wanted: 'container', floor: check.floor, ...required, runtime: check.runtime, mechanisms };
}

/** What is seen of it. One that is over before anybody looks was what the one made alike was: a task may be as short as it likes. */
async function linesOf(check: ContainerCheck): Promise<readonly Mechanism[]> {
  const { pid, trial, ended } = check;
  if (pid <= 1 && ended === '') return [];
  const begun = startTimeOf(pid);
  const lines = pid > 1 ? await containerLines(check) : [];
  if (isAlive(pid, begun)) return lines;
  return (trial?.seen ?? []).map((line) => ({
    ...line,
    evidence: `${line.evidence}, of one made alike: this had ended`,
  }));
}

type RunningContainer = Pick<ContainerCheck, 'pid' | 'limits' | 'cgroups' | 'network' | 'writable' | 'keepsCoreLimit'>;

/** What is looked for again while it runs; plain data, kept with what it is found again by. */
export type ContainerChecks = Pick<ContainerCheck, 'limits' | 'network' | 'writable' | 'keepsCoreLimit'> &
  Partial<ReturnType<typeof leftInGroups>> & {
    /** Clock ticks since boot, decimal: with its pid the identity of the main process. */
    readonly startTime: string;
  };

/** Null: its processes cannot be seen from here. */
export async function containerChecks(check: ContainerCheck): Promise<ContainerChecks | null> {
  const { pid, limits, network, writable, keepsCoreLimit = false, cgroups } = check;
  if (pid <= 1) return null;
  const left = leftInGroups(await cgroupOf(pid, cgroups), limits);
  return { limits, network, writable, keepsCoreLimit, startTime: String(startTimeOf(pid)), ...left };
}

/** Its report, with what no longer holds. `pid`: as the engine has it; 0: not known, and nothing is looked at. */
export async function containerNow(
  report: IsolationReport,
  checks: ContainerChecks | null,
  { pid, cgroups }: Pick<ContainerCheck, 'pid' | 'cgroups'>,
): Promise<IsolationReport> {
  if (checks === null || pid <= 1) return report;
  const { startTime, bounds, deviceRules } = checks;
  const looked = await looking({ ...checks, pid, cgroups }, readHeldProcess(pid));
  const left = bounds === undefined || deviceRules === undefined ? {} : { bounds, deviceRules };
  const { cgroup, taskUids } = looked;
  return recheck(report, { pid, startTime, cgroup, checks: { ...looked, ...left }, taskUids });
}

/** For what a container is looked at, and where. */
async function looking(check: RunningContainer, held: HeldProcess) {
  const cgroup = await cgroupOf(check.pid, check.cgroups);
  return {
    cgroup,
    limits: check.limits,
    killUnit: cgroup === null ? 'pid-namespace' : 'cgroup',
    capabilities: [],
    keepsCoreLimit: check.keepsCoreLimit === true,
    notAsked: [],
    volumes: [],
    writable: [...ownFiles, ...ownTmpfs(held.mounts ?? ''), ...check.writable],
    // ids are the image's own: apart only by a user namespace
    taskUids: null,
    // the engine's own networks have no policy that could be verified
    network: check.network?.mode === 'group' ? launchNetwork(check.network) : null,
  } as const;
}

/** As seen from the host. */
export async function containerLines(
  check: RunningContainer & Pick<ContainerCheck, 'sharesIds'>,
): Promise<readonly Mechanism[]> {
  const held = readHeldProcess(check.pid);
  const looked = await looking(check, held);
  const { cgroup } = looked;
  const lines = checkFromHost(
    {
      ...looked,
      pid: check.pid,
      devices: await tryDevices(locateVerifier()?.program ?? null, cgroup),
      findings: new Map(),
      now: new Date().toISOString(),
    },
    held,
  );
  return lines.map((line) => {
    if (line.state !== 'verified') return line;
    if (line.name === 'root_file_system') return { ...line, evidence: "an image's" };
    if (line.name !== 'user_namespace' || !check.sharesIds) return line;
    return {
      ...line,
      state: 'unavailable',
      evidence: `${line.evidence}, but other containers of this engine have it too`,
    };
  });
}

/** With version 1 of control groups their mounts lie, read-only, in a small tmpfs of the container's own. */
function ownTmpfs(mounts: string): readonly string[] {
  const own = readMounts(mounts).some(({ point, type }) => point === '/sys/fs/cgroup' && type === 'tmpfs');
  return own ? ['/sys/fs/cgroup'] : [];
}

/** The control groups the engine put it into, as the checks read them. */
async function cgroupOf(pid: number, host: CgroupHost): Promise<TaskCgroup | null> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const rows = text.split('\n').map((row) => /^\d+:([^:]*):(.+)$/.exec(row));
  let name = '';
  const directories = host.hierarchies.flatMap(({ version, mount, controllers }) => {
    const row = rows.find((match) =>
      version === 2
        ? match?.[1] === ''
        : match !== null &&
          match[1]!
            .replace('blkio', 'io')
            .split(',')
            .some((each) => controllers.includes(each)),
    );
    const path = row?.[2] ?? '/';
    if (path === '/') return [];
    name = path.split('/').at(-1) ?? '';
    return [{ version, path: join(mount, path), controllers, ours: false }];
  });
  return directories.length === 0 ? null : { name, directories };
}
