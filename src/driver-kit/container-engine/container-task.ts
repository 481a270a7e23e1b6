/**
 * One container of ours, as the engine driver holds it.
 *
 *   running ──(the engine says it ended, its output is stored)──▶ ended ──(destroy)──▶ gone
 */
import type {
  IsolationReport,
  NetworkOverride,
  TaskConfig,
  TaskExit,
  TaskHandleState,
  TaskStatus,
} from '../../driver/contract.ts';
import { abortable } from '../../lib/abortable.ts';
import { Fault } from '../../lib/fault.ts';
import type { UsageAt } from '../task-stats.ts';
import type { ContainerChecks } from './container-isolation.ts';
import type { ContainerState } from './engine-answers.ts';

export interface ContainerHandle extends TaskHandleState {
  readonly version: 1;
  readonly containerId: string;
  readonly name: string;
  readonly imageId: string;
  /** Unix nanoseconds, decimal. */
  readonly startedAt: string;
  readonly stopSignal: string;
  readonly tty: boolean;
  readonly isolation: IsolationReport;
  /** Null: nothing could be seen, or an older agent started it. */
  readonly checks: ContainerChecks | null;
  readonly network: NetworkOverride | null;
}

/** `Fault('not_found')` where the stored state cannot be read: the task counts as lost. */
export function readHandle(state: TaskHandleState): ContainerHandle {
  const value = state as Partial<ContainerHandle>;
  const whole =
    value.version === 1 &&
    typeof value.containerId === 'string' &&
    /^\d{1,20}$/.test(value.startedAt ?? '') &&
    typeof value.isolation?.rung === 'string';
  if (!whole)
    throw new Fault('not_found', `the stored state of the task cannot be read (version ${String(state.version)})`);
  return { ...(value as ContainerHandle), checks: value.checks ?? null, network: value.network ?? null };
}

export class ContainerTask {
  readonly config: TaskConfig;
  readonly handle: ContainerHandle;
  readonly #end: Promise<TaskExit>;
  #resolve: (exit: TaskExit) => void = () => {};
  exit: TaskExit | null = null;
  /** The engine said that something in it was ended for want of memory. */
  oomSeen = false;
  /** By us. */
  killed = false;
  /** On the host, of its main process, while it runs; 0: not known. */
  pid: number;
  lastUsage: UsageAt | null = null;

  constructor(config: TaskConfig, handle: ContainerHandle, pid: number) {
    this.config = config;
    this.pid = pid;
    this.handle = handle;
    this.#end = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Once; later ends are not heard. */
  settle(exit: TaskExit): void {
    if (this.exit !== null) return;
    this.exit = exit;
    this.#resolve(exit);
  }

  wait(signal: AbortSignal): Promise<TaskExit> {
    return abortable(this.#end, signal);
  }

  /** `Fault('conflict')`: it has ended. */
  requireRunning(): string {
    if (this.exit !== null) throw new Fault('conflict', `task ${this.config.id} is not running`);
    return this.handle.containerId;
  }

  status(): TaskStatus {
    const { exit, handle } = this;
    return {
      state: exit === null ? 'running' : exit.unknown === undefined ? 'exited' : 'unknown',
      startedAt: BigInt(handle.startedAt),
      completedAt: exit?.finishedAt ?? null,
      exit,
      attributes: {
        container_id: handle.containerId,
        isolation: handle.isolation.rung,
        runtime: handle.isolation.runtime,
      },
    };
  }
}

/** A container cannot tell exit 137 from SIGKILL: the code is the engine's, and no signal is invented. */
export function exitOf(state: ContainerState, oomSeen: boolean): TaskExit {
  const oomKilled = state.oomKilled || (oomSeen && state.exitCode === 137);
  return {
    exitCode: state.exitCode,
    signal: 0,
    oomKilled: oomKilled && state.exitCode !== 0,
    ...(state.finishedAt > 0n ? { finishedAt: state.finishedAt } : {}),
    ...(state.error === '' ? {} : { message: state.error }),
  };
}
