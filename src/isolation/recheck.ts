/** A running task looked at again: whether what was verified before its first instruction still holds. */
import type { IsolationReport } from '../driver/contract.ts';
import { kernelNames, kernelText } from '../lib/node/kernel-file.ts';
import { readBounds } from './cgroup/bounds.ts';
import type { CgroupLimits } from './cgroup/limits.ts';
import type { TaskCgroup } from './cgroup/task-cgroup.ts';
import { deviceRules } from './device-trial.ts';
import { boundOf, unbound } from './disk-line.ts';
import { checkFromHost, type HeldProcess, type RunningChecks, readHeldProcess } from './host-checks.ts';
import { type Mechanism, rungOf } from './lines.ts';
import type { IdRange } from './users.ts';

export interface RunningTask {
  readonly pid: number;
  /** Clock ticks since boot, decimal: with `pid` the identity of the main process. */
  readonly startTime: string;
  readonly cgroup: TaskCgroup | null;
  readonly checks: RunningChecks;
  readonly taskUids: IdRange | null;
}

/** What a start left in its control groups, for `RunningChecks`. */
export function leftInGroups(
  cgroup: TaskCgroup | null,
  limits: CgroupLimits | null,
): Required<Pick<RunningChecks, 'bounds' | 'deviceRules'>> {
  return { bounds: readBounds(cgroup, limits), deviceRules: deviceRules(cgroup) };
}

/** Of the moment before the first instruction: a running task opens what it likes, and its variables are its own. */
const ofTheStart: ReadonlySet<string> = new Set(['descriptors', 'environment']);

/** Lines that need the process's namespaces and mounts to be readable; a program nobody may read hides them. */
const hidden =
  /^(mount|pid|ipc|uts|network|cgroup|user)_namespace$|^(network_policy|read_only_system|root_file_system|masked_proc|unique_uid)$/;

/** The report with what no longer holds marked `unavailable`; as it was, where the process is gone or is another one. */
export function recheck(report: IsolationReport, task: RunningTask): IsolationReport {
  const pid = livingThread(task);
  if (!report.mechanisms.some(({ state }) => state === 'verified') || pid === 0) return report;
  const held = readHeldProcess(pid);
  const { checks, cgroup, taskUids } = task;
  const now = new Date().toISOString();
  const seen = new Map(
    checkFromHost({ ...checks, pid, cgroup, taskUids, findings: new Map(), devices: null, now }, held).map((each) => [
      each.name,
      each,
    ]),
  );
  // it may have ended while it was looked at
  if (livingThread(task) !== pid) return report;
  // a group that is full takes no child to try devices with
  if (checks.subordinate === undefined && deviceRules(cgroup) === '') seen.delete('devices');
  const disk = report.mechanisms.find(({ name }) => name === 'disk_quota');
  if (disk?.state === 'verified' && boundOf(checks.disk ?? '') === null)
    seen.set(disk.name, { ...disk, state: 'unavailable', evidence: unbound, checkedAt: now });
  const mechanisms = report.mechanisms.map((line) => stillThere(line, seen.get(line.name), isHidden(held)));
  return { ...report, mechanisms, rung: rungOf(mechanisms) };
}

function stillThere(line: Mechanism, now: Mechanism | undefined, blind: boolean): Mechanism {
  if (line.state !== 'verified' || now === undefined || now.state === 'verified') return line;
  return ofTheStart.has(line.name) || (blind && hidden.test(line.name)) ? line : { ...now, state: 'unavailable' };
}

function isHidden({ namespaces, mounts }: HeldProcess): boolean {
  return mounts === '' || [...namespaces.values()].includes('');
}

/**
 * Of the process, unless that number is another one's by now; 0: it has ended. Its first thread may have ended before others: the kernel tells nothing
 * of that, and of any other as of a process.
 */
function livingThread({ pid, startTime }: RunningTask): number {
  const [state, begun] = stateOf(`/proc/${pid}`);
  if (pid <= 0 || begun !== startTime) return 0;
  if (!isOver(state)) return pid;
  const threads = kernelNames(`/proc/${pid}/task`) ?? [];
  return Number(threads.find((each) => !isOver(stateOf(`/proc/${pid}/task/${each}`)[0])) ?? 0);
}

const isOver = (state: string | undefined): boolean => ['Z', 'X'].includes(state ?? 'X');

function stateOf(place: string): readonly [state: string | undefined, startTime: string | undefined] {
  const stat = kernelText(`${place}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [fields[0] || undefined, fields[19]];
}
