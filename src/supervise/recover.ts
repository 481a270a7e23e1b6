import { execFile } from 'node:child_process';
import { isFault, messageOf } from '../lib/fault.ts';
import type { Recovered, TaskEnd } from './contract.ts';
import { emptyKillUnit, isEmpty, type Left } from './kill-unit.ts';
import { readExitRecord, readIntent, readShimIdentity } from './record-directory.ts';
import { ShimClient, shutdownShim } from './shim-client.ts';
import { bootId, isAlive } from './this-host.ts';

/**
 * What became of a start, from what lies in its record directory:
 *
 *   no intent ─ absent      record ─ that is the end, its shim is let go      other boot ─ unknown(reboot)
 *   no shim.pid ─ never started      shim dead ─ unit emptied, record looked for once more, unknown(shim-lost)      else ─ connect
 */
export async function recoverShim(directory: string): Promise<Recovered> {
  const intent = await readIntent(directory);
  if (intent === null) return { state: 'absent' };
  const state = await look(directory);
  if (state === 'never-started') return { state };
  if (state !== 'alive') {
    // A shim waits after its record for someone to acknowledge it; the record is on disk, so this is that.
    await shutdownShim(directory).catch(() => {});
    return { state: 'ended', end: state };
  }
  for (let attempt = 0; ; attempt++) {
    try {
      return { state: 'present', shim: await ShimClient.connect(directory, endOf) };
    } catch (error) {
      // It may have ended between the look and the call; a shim that lives but is hung stays the caller's to retry.
      const now = await look(directory);
      if (now !== 'alive' && now !== 'never-started') return { state: 'ended', end: now };
      if (!isFault(error, 'unavailable') || attempt >= 2) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** How a task ended whose shim no longer talks to us; null while that shim lives. */
export async function endOf(directory: string): Promise<TaskEnd | null> {
  const state = await look(directory);
  if (state === 'alive') return null;
  return state === 'never-started' ? { unknown: 'shim-lost', detail: 'no shim signed the record directory' } : state;
}

async function look(directory: string): Promise<TaskEnd | 'alive' | 'never-started'> {
  const written = await recordOf(directory);
  if (written !== null) return written;
  const intent = await readIntent(directory);
  // without a shim's signature too: that is not synced, and a power cut takes it away
  if (intent !== null && intent.bootId !== bootId())
    return { unknown: 'reboot', detail: `started in boot ${intent.bootId}` };
  const identity = await readShimIdentity(directory);
  if (identity === null) return 'never-started';
  if (isAlive(identity.pid, identity.startTime)) return 'alive';
  const left = intent === null ? null : await emptyKillUnit(intent.killUnit);
  if (intent?.launcher?.kind === 'oci') await deleteContainer(intent.launcher.delete);
  // A shim that wrote its record and ended between our two looks.
  const late = await recordOf(directory);
  const rest = left === null || isEmpty(left) ? '' : `; ${remaining(left)}`;
  return late ?? { unknown: 'shim-lost', detail: `shim ${identity.pid} is gone and left no record${rest}` };
}

function remaining({ processes, unread }: Left): string {
  if (unread !== '') return `whether its kill unit is empty is not known: ${unread}`;
  return `${processes} processes of its kill unit could not be ended`;
}

/** What the shim would have run at the end: the runtime's own state and cgroups go with it. */
async function deleteContainer([command, ...args]: readonly string[]): Promise<void> {
  if (command === undefined) return;
  await new Promise<void>((resolve) => execFile(command, args, { timeout: 10_000 }, () => resolve()));
}

async function recordOf(directory: string): Promise<TaskEnd | null> {
  try {
    return await readExitRecord(directory);
  } catch (error) {
    if (isFault(error, 'invalid')) return { unknown: 'record-unreadable', detail: messageOf(error) };
    throw error;
  }
}
