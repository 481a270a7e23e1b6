/**
 * One started command and its shim, as the engine holds it.
 *
 *   running ──(record seen)── ended ──(destroy)── gone
 */
import { rm } from 'node:fs/promises';
import type {
  ExecRequest,
  ExecSession,
  IsolationReport,
  TaskConfig,
  TaskExit,
  TaskStats,
  TaskStatus,
} from '../driver/contract.ts';
import { removeTaskCgroup } from '../isolation/cgroup/task-cgroup.ts';
import { cgroupUsage, measures, processUsage } from '../isolation/cgroup/usage.ts';
import type { IsolationHost } from '../isolation/isolation-host.ts';
import { recheck } from '../isolation/recheck.ts';
import { abortable } from '../lib/abortable.ts';
import { Fault, isFault } from '../lib/fault.ts';
import type { Shim, TaskEnd } from '../supervise/contract.ts';
import type { CommandState } from './command-state.ts';
import { endOrphan } from './orphan.ts';
import { withHint } from './refused-privilege.ts';
import { taskExit } from './task-exit.ts';
import { coreMhz, statsOf, type UsageAt } from './task-stats.ts';

export class CommandTask {
  readonly config: TaskConfig;
  readonly state: CommandState;
  readonly #shim: Shim | null;
  readonly #over: TaskEnd | null;
  /** Everybody who waits gets the same end; null: nobody waits, or it could not be told and is asked for again. */
  #end: Promise<TaskExit> | null = null;
  #exit: TaskExit | null = null;
  #lastUsage: UsageAt | null = null;

  /** `shim` null: the task had ended before it was found again. */
  constructor(config: TaskConfig, state: CommandState, shim: Shim | null, ended: TaskEnd | null) {
    this.config = config;
    this.state = state;
    this.#shim = shim;
    this.#over = ended;
    // whoever waits hears of it; nobody waiting is no error
    this.#ending().catch(() => {});
  }

  #ending(): Promise<TaskExit> {
    this.#end ??= this.#untilEnd().catch((error: unknown) => {
      this.#end = null;
      throw error;
    });
    return this.#end;
  }

  async #untilEnd(): Promise<TaskExit> {
    const { config, state } = this;
    const end = this.#over ?? (await this.#shim!.wait());
    // nobody watches it any more: it must not run beside its successor
    if (end.unknown === 'shim-lost') await endOrphan(state.pid, state.startTime);
    const exit = taskExit(end);
    // one that nothing was taken from was refused by the host itself
    this.#exit = state.checks === null ? exit : await withHint(exit, config, BigInt(state.startedAt));
    return this.#exit;
  }

  get ended(): boolean {
    return this.#exit !== null;
  }

  wait(signal: AbortSignal): Promise<TaskExit> {
    return abortable(this.#ending(), signal);
  }

  async stop(signalNumber: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (!this.ended && this.#shim !== null) {
      await this.#shim.stop({ signal: signalNumber, timeoutMs }).catch(ignoreOver);
    }
    await this.wait(signal);
  }

  async signal(number: number): Promise<void> {
    await this.#running().signal(number);
  }

  async exec(request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    const shim = this.#running();
    const env = { ...this.config.env, ...this.state.env };
    for (const name of this.state.withoutEnv) delete env[name];
    const size = request.size === undefined ? {} : { size: request.size };
    return shim.exec(
      { command: request.command, env, workDir: this.state.execWorkDir, tty: request.tty, ...size },
      signal,
    );
  }

  async inspect(): Promise<TaskStatus> {
    const { startedAt, pid, isolation } = this.state;
    return {
      state: this.#exit === null ? 'running' : this.#exit.unknown === undefined ? 'exited' : 'unknown',
      startedAt: BigInt(startedAt),
      completedAt: this.#exit?.finishedAt ?? null,
      exit: this.#exit,
      attributes: { pid: String(pid), isolation: isolation.rung, runtime: isolation.runtime },
    };
  }

  async stats(): Promise<TaskStats> {
    this.#running();
    const { cgroup, pid } = this.state;
    const usage = cgroup !== null && measures(cgroup) ? await cgroupUsage(cgroup) : await processUsage(pid);
    const now: UsageAt = { at: BigInt(Date.now()) * 1_000_000n, usage };
    const before = this.#lastUsage;
    this.#lastUsage = now;
    return statsOf(before, now, coreMhz());
  }

  /** Its report, with what no longer holds. */
  isolationNow(host: IsolationHost): IsolationReport {
    const { isolation, checks, pid, startTime, cgroup } = this.state;
    if (checks === null || this.ended) return isolation;
    return recheck(isolation, { pid, startTime, cgroup, checks, taskUids: host.uids?.range ?? null });
  }

  /** Only once it has ended: what is left of it is removed. */
  async forget(): Promise<void> {
    await this.#shim?.shutdown().catch(ignoreOver);
    await removeStart(this.state);
  }

  close(): void {
    this.#shim?.close();
  }

  #running(): Shim {
    if (this.#shim === null || this.ended) throw new Fault('conflict', `task ${this.config.id} is not running`);
    return this.#shim;
  }
}

export async function removeStart(state: Pick<CommandState, 'cgroup' | 'directory'>): Promise<void> {
  if (state.cgroup !== null) await removeTaskCgroup(state.cgroup);
  await rm(state.directory, { recursive: true, force: true });
}

/** The shim is gone or the task already ended: the end is what `wait` says. */
function ignoreOver(error: unknown): void {
  if (!isFault(error, 'unavailable') && !isFault(error, 'conflict')) throw error;
}
