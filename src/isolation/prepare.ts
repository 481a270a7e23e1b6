/**
 * From a wish to a checked task. Two steps around the start: `prepareTask` chooses how, `checkTask` looks at the held process and
 * says what it really got; below its floor the task is refused before its first instruction.
 */
import type { FilesystemIsolation, IsolationReport, IsolationRung, IsolationWish } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import type { CgroupLimits } from './cgroup/limits.ts';
import type { TaskCgroup } from './cgroup/task-cgroup.ts';
import { checkFromHost, readHeldProcess } from './host-checks.ts';
import type { IsolationHost } from './isolation-host.ts';
import type { Launch, LaunchRequest } from './launch/launch.ts';
import { plainLaunch } from './launch/plain.ts';
import { type Mechanism, missingLine, rankOf, rungOf } from './lines.ts';

export interface PrepareRequest {
  readonly wish: IsolationWish;
  readonly floor: IsolationRung;
  readonly filesystem: FilesystemIsolation;
  readonly cgroup: TaskCgroup | null;
  readonly limits: CgroupLimits;
  readonly launch: LaunchRequest;
}

export interface PreparedTask {
  readonly launch: Launch;
  /** The command is held for checks. False only where nothing is promised: then the start is not slowed down. */
  readonly gate: boolean;
  readonly request: PrepareRequest;
  /** What was given up on the way, strictest first: `"container: no network namespace"`. */
  readonly given: readonly Mechanism[];
}

export async function prepareTask(host: IsolationHost, request: PrepareRequest): Promise<PreparedTask> {
  const { wish, floor } = request;
  if (rankOf(floor) > rankOf(wish.prefer))
    throw belowFloor(wish.prefer, floor, `this driver gives at most "${wish.prefer}"`);
  void host;
  const strict = wish.prefer !== 'none';
  const launch = plainLaunch(request.launch, {
    noNewPrivs: strict,
    capabilities: strict ? 0n : undefined,
    pidNamespace: false,
  });
  return { launch, gate: strict, request, given: [] };
}

export interface CheckInput {
  readonly pid: number;
  readonly killUnit: 'session' | 'cgroup' | 'pid-namespace';
  /** What the verifier found inside; null: it did not take part. */
  readonly findings: readonly { readonly name: string; readonly found: string }[] | null;
}

/** `Fault('unsupported')` naming the missing line where the task is below its floor. */
export async function checkTask(prepared: PreparedTask, input: CheckInput): Promise<IsolationReport> {
  const { request, launch } = prepared;
  const { wish, floor } = request;
  const mechanisms = prepared.gate ? await mechanismsOf(prepared, input) : [];
  const rung = rungOf(mechanisms);
  if (rankOf(rung) < rankOf(floor))
    throw belowFloor(rung, floor, missingLine(mechanisms, floor) ?? 'nothing was checked');
  return { rung, wanted: wish.prefer, floor, runtime: launch.runtime, mechanisms };
}

async function mechanismsOf(prepared: PreparedTask, input: CheckInput): Promise<readonly Mechanism[]> {
  const { request } = prepared;
  const held = await readHeldProcess(input.pid);
  const seen = await checkFromHost(
    {
      pid: input.pid,
      cgroup: request.cgroup,
      limits: request.limits,
      killUnit: input.killUnit,
      capabilities: request.wish.capabilities,
      now: new Date().toISOString(),
    },
    held,
  );
  return [...prepared.given, ...seen];
}

function belowFloor(rung: IsolationRung, floor: IsolationRung, why: string): Fault {
  return new Fault(
    'unsupported',
    `isolation floor "${floor}" is not reached: the task would run at "${rung}"; missing: ${why}`,
  );
}
