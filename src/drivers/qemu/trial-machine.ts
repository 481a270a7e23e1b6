/** Machines that are booted to see whether they boot. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Of a machine that has not ended by then. */
export const trialSeconds = 15;

/** How a trial ended. `code`: the emulator's; null: it was ended by its time. `stderr`: its last line. */
export interface TrialEnd {
  readonly code: number | null;
  readonly stderr: string;
}

/**
 * Runs an emulator to its end, and no longer than `trialSeconds`: a guest that hangs under KVM spins, so it yields to all other work, and its
 * time is kept by a process that outlives a killed agent.
 * @throws the signal's reason, when the machine has ended: one that was given up says nothing of the host
 */
export async function tryMachine(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  seconds = trialSeconds,
): Promise<TrialEnd> {
  const command = ['-k', '1', String(seconds), 'nice', '-n', '19', program, ...args];
  signal.throwIfAborted();
  const running = run('timeout', command);
  // it passes that on, and ends after the machine
  const giveUp = () => running.child.kill('SIGTERM');
  signal.addEventListener('abort', giveUp);
  try {
    const { stderr } = await running;
    return { code: 0, stderr: lastLine(stderr) };
  } catch (error) {
    const { code, stderr = '' } = error as { readonly code?: unknown; readonly stderr?: string };
    signal.throwIfAborted();
    const ended = typeof code === 'number' && code !== 124 && code !== 137;
    return { code: ended ? code : null, stderr: lastLine(stderr) || (ended ? '' : (error as Error).message) };
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
