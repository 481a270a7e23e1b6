/**
 * A task that only pretends: timers instead of a process. From start and options alone it knows when it ends, so it can be found again.
 *
 *   running ──(run_for over | stop, then kill_after)── ended
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskConfig, TaskExit } from '../../driver/contract.ts';
import { millisecond, parseDuration } from '../../lib/duration.ts';
import { Fault } from '../../lib/fault.ts';
import type { Ending, TaskOptions } from './options.ts';

/** `"1.5s"` → 1500; empty → 0. */
export function durationMs(text: string, option: string): number {
  const ns = text === '' ? 0 : parseDuration(text);
  if (ns === undefined || ns < 0)
    throw new Fault('invalid', `${option}: ${JSON.stringify(text)} is no duration such as "10s"`);
  return ns / millisecond;
}

export class MockTask {
  readonly config: TaskConfig;
  readonly options: TaskOptions;
  /** Unix milliseconds. */
  readonly startedAtMs: number;
  readonly end: Promise<TaskExit>;
  readonly #stopping = new AbortController();
  readonly #killed = new AbortController();
  exit: TaskExit | null = null;

  constructor(config: TaskConfig, options: TaskOptions, startedAtMs: number, printed: boolean) {
    this.config = config;
    this.options = options;
    this.startedAtMs = startedAtMs;
    this.end = this.#run(printed);
  }

  /** Resolves when it has ended: after `kill_after`, or after the timeout. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping.abort();
    const timer = setTimeout(() => this.#killed.abort(), timeoutMs);
    await this.end;
    clearTimeout(timer);
  }

  async #run(printed: boolean): Promise<TaskExit> {
    const { options } = this;
    const leftMs = Math.max(0, this.startedAtMs + durationMs(options.run_for, 'run_for') - Date.now());
    const printing = printed ? Promise.resolve() : this.#print();
    await Promise.all([pause(leftMs, this.#stopping.signal), printing.catch(() => {})]);
    if (this.#stopping.signal.aborted) await pause(durationMs(options.kill_after, 'kill_after'), this.#killed.signal);
    this.exit = endOf(options);
    return this.exit;
  }

  async #print(): Promise<void> {
    await Promise.all([
      this.#printOne(
        'stdout',
        this.options.stdout_string,
        this.options.stdout_repeat,
        this.options.stdout_repeat_duration,
      ),
      this.#printOne(
        'stderr',
        this.options.stderr_string,
        this.options.stderr_repeat,
        this.options.stderr_repeat_duration,
      ),
    ]);
  }

  async #printOne(stream: 'stdout' | 'stderr', text: string, repeat: number, pauseText: string): Promise<void> {
    if (text === '' || this.config.log.disabled) return;
    const { log, directories, name } = this.config;
    const path = log.fifos === null ? join(directories.logs, `${name}.${stream}.0`) : log.fifos[stream];
    const flags = log.fifos === null ? constants.O_APPEND | constants.O_CREAT : 0;
    const file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW | flags, 0o644);
    try {
      for (let printed = 0; printed <= repeat && !this.#stopping.signal.aborted; printed++) {
        if (printed > 0) await pause(durationMs(pauseText, `${stream}_repeat_duration`), this.#stopping.signal);
        await file.write(text);
      }
    } finally {
      await file.close();
    }
  }
}

export function endOf(options: Ending): TaskExit {
  return {
    exitCode: options.exit_code,
    signal: options.exit_signal,
    oomKilled: false,
    finishedAt: BigInt(Date.now()) * 1_000_000n,
    ...(options.exit_err_msg === '' ? {} : { message: options.exit_err_msg }),
  };
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
