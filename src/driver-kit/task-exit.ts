import type { TaskExit } from '../driver/contract.ts';
import type { TaskEnd } from '../supervise/contract.ts';

/** A shim's record as the driver contract says it. */
export function taskExit(end: TaskEnd): TaskExit {
  if (end.unknown !== null) {
    return { exitCode: 0, signal: 0, oomKilled: false, unknown: end.unknown, message: end.detail };
  }
  return {
    exitCode: end.code,
    signal: end.signal,
    // a task that lost a process of its own and still ended well was not killed
    oomKilled: end.oomKilled && (end.code !== 0 || end.signal !== 0),
    finishedAt: end.finishedAt,
    ...(end.started ? {} : { message: end.error === null ? 'the command never started' : end.error.message }),
  };
}
