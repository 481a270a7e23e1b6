/** Runs a small program of the system to its end. Its output is its answer; a failure is a Fault with what it printed. */
import { execFile } from 'node:child_process';
import { Fault } from '../lib/fault.ts';

export function runProgram(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  timeoutMs = 10_000,
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], { signal, timeout: timeoutMs, maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else
        reject(
          new Fault('unavailable', `${program}: ${stderr.trim() || error.message}`, {
            cause: error,
            recoverable: true,
          }),
        );
    });
  });
}
