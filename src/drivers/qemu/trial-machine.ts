/** Machines that are booted to see whether they boot. */
import { once } from 'node:events';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from '../../lib/node/spawn.ts';

/** Of a machine that has not ended by then. */
export const trialSeconds = 15;

/** How a trial ended. `code`: the emulator's; null: it was ended by its time. `stderr`: its last line. */
export interface TrialEnd {
  readonly code: number | null;
  readonly stderr: string;
}

/** The path at which a trial's emulator reads the image it was given. */
export const trialImage = '/dev/fd/3';

/**
 * Runs an emulator to its end, and no longer than `trialSeconds`: a guest that hangs under KVM spins, so it yields to all other work, and its
 * time is kept by a process that outlives a killed agent. The image is unlinked before the emulator starts: nobody need tidy after it.
 * @throws the signal's reason, when the machine has ended: one that was given up says nothing of the host
 */
export async function tryMachine(
  program: string,
  args: readonly string[],
  image: Buffer,
  signal: AbortSignal,
  seconds = trialSeconds,
): Promise<TrialEnd> {
  const command = ['-k', '1', String(seconds), 'nice', '-n', '19', program, ...args];
  const file = await unlinked(image);
  try {
    signal.throwIfAborted();
    const running = spawn('timeout', command, { stdio: ['ignore', 'ignore', 'pipe', file.fd] });
    let said = '';
    running.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000);
    });
    // it passes that on, and ends after the machine
    const giveUp = () => running.kill('SIGTERM');
    signal.addEventListener('abort', giveUp);
    try {
      const [code] = (await once(running, 'close')) as [number | null];
      signal.throwIfAborted();
      return { code: code === 124 || code === 137 ? null : code, stderr: lastLine(said) };
    } catch (error) {
      signal.throwIfAborted();
      return { code: null, stderr: (error as Error).message };
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  } finally {
    await file.close();
  }
}

async function unlinked(image: Buffer) {
  const directory = await mkdtemp(join(tmpdir(), 'drover-trial-'));
  try {
    await writeFile(join(directory, 'image'), image, { mode: 0o600 });
    return await open(join(directory, 'image'), 'r');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
