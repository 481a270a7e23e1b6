/**
 * Follows one file: what is there, then what comes. A file that shrank is read again from its start (`file truncated`); one that went
 * away is said (`file deleted`) and looked for until it is back. Changes are looked for at a growing interval, at once after news.
 */
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault } from '../lib/fault.ts';
import { openBeneath } from '../lib/node/safe-path.ts';
import type { FileFrame } from './client-node.ts';
import { readRange, refuseSecrets } from './files.ts';

const quickest = 20;
const slowest = 250;

export interface FollowFrom {
  readonly origin: 'start' | 'end';
  readonly offset: number;
  readonly follow: boolean;
}

/** The first byte to send of a file of this size. */
function startOffset(size: number, from: Pick<FollowFrom, 'origin' | 'offset'>): number {
  if (from.origin === 'start') return Math.max(0, from.offset);
  return Math.max(0, size - Math.max(0, from.offset));
}

export async function* followFile(
  root: string,
  path: string,
  from: FollowFrom,
  signal: AbortSignal,
): AsyncIterable<FileFrame> {
  refuseSecrets(path);
  let handle: FileHandle | null = await openBeneath(root, path);
  try {
    const file = path.replace(/^\/+/, '');
    let at = startOffset((await handle.stat()).size, from);
    let pauseMs = quickest;
    while (!signal.aborted) {
      const before = at;
      const { size, ino } = await handle.stat();
      if (size < at) {
        at = 0;
        yield { file, offset: 0, data: nothing, event: 'file truncated' };
      }
      for await (const data of readRange(handle, at, size, signal)) {
        at += data.length;
        yield { file, offset: at, data, event: '' };
      }
      if (!from.follow) return;
      pauseMs = at === before ? Math.min(slowest, pauseMs * 2) : quickest;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      const replaced = await replacement(root, path, ino);
      if (replaced === 'same') continue;
      yield { file, offset: at, data: nothing, event: 'file deleted' };
      await handle.close();
      handle = null;
      handle = replaced === 'gone' ? await comeBack(root, path, signal) : replaced;
      if (handle === null) return;
      at = 0;
    }
  } finally {
    await handle?.close();
  }
}

const nothing = new Uint8Array();

/** The file that has the path now, where it is another one. */
async function replacement(root: string, path: string, ino: number): Promise<'same' | 'gone' | FileHandle> {
  const handle = await openBeneath(root, path).catch((error: unknown) => {
    if (isFault(error)) return null;
    throw error;
  });
  if (handle === null) return 'gone';
  if ((await handle.stat()).ino !== ino) return handle;
  await handle.close();
  return 'same';
}

async function comeBack(root: string, path: string, signal: AbortSignal): Promise<FileHandle | null> {
  while (!signal.aborted) {
    await sleep(slowest, undefined, { signal }).catch(() => undefined);
    const handle = await openBeneath(root, path).catch(() => null);
    if (handle !== null) return handle;
  }
  return null;
}
