import type { ExecSession, TaskExit } from '../../driver/contract.ts';
import { AsyncQueue } from '../../driver-kit/async-queue.ts';
import { durationMs, endOf, pause } from './mock-task.ts';
import type { Ending } from './options.ts';

/** A command inside a task that only pretends. Its input is taken and forgotten. */
export function mockExec(options: Ending, tty: boolean, signal: AbortSignal): ExecSession {
  const output = new AsyncQueue<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }>();
  const print = async (stream: 'stdout' | 'stderr', text: string, repeat: number, every: string): Promise<void> => {
    for (let printed = 0; text !== '' && printed <= repeat && !signal.aborted; printed++) {
      if (printed > 0) await pause(durationMs(every, `${stream}_repeat_duration`), signal);
      output.push({ stream: tty ? 'stdout' : stream, data: Buffer.from(text) });
    }
  };
  const run = async (): Promise<TaskExit> => {
    await Promise.all([
      pause(durationMs(options.run_for, 'run_for'), signal),
      print('stdout', options.stdout_string, options.stdout_repeat, options.stdout_repeat_duration),
      print('stderr', options.stderr_string, options.stderr_repeat, options.stderr_repeat_duration),
    ]);
    output.end();
    return endOf(options);
  };
  return {
    writeStdin: async () => {},
    closeStdin: async () => {},
    resize: async () => {},
    output,
    exit: run(),
  };
}
