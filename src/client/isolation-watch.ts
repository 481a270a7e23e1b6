/** Looks again and again at what running tasks were verified to have. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';

export interface IsolationWatchOptions {
  /** 0: never. */
  readonly intervalMs: number;
  readonly tasks: () => Iterable<{ readonly name: string; recheckIsolation(): Promise<void> }>;
  readonly log: Log;
}

export async function watchIsolation(options: IsolationWatchOptions, signal: AbortSignal): Promise<void> {
  const { intervalMs } = options;
  while (intervalMs > 0 && !signal.aborted) {
    await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (!signal.aborted) await lookAtAll(options);
  }
}

/** One after the other: each is some twenty small reads, and nothing waits for them. */
export async function lookAtAll({ tasks, log }: Pick<IsolationWatchOptions, 'tasks' | 'log'>): Promise<void> {
  for (const task of tasks()) {
    try {
      await task.recheckIsolation();
    } catch (error) {
      log.debug('the isolation of a task could not be looked at', { task: task.name, error: messageOf(error) });
    }
    await new Promise(setImmediate);
  }
}
