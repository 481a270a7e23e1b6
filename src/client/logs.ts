/** A task's output across its rotated files `<task>.<stream>.<n>`, in order; following goes on in the next file when one is full. */
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, isFault } from '../lib/fault.ts';
import { listBeneath, openBeneath } from '../lib/node/safe-path.ts';
import type { FileFrame, LogRequest } from './client-node.ts';
import { readRange } from './files.ts';

const directory = 'alloc/logs';
const quickest = 20;
const slowest = 250;

interface LogFile {
  readonly name: string;
  readonly number: number;
  readonly size: number;
}

async function logFiles(root: string, task: string, type: string): Promise<readonly LogFile[]> {
  const prefix = `${task}.${type}.`;
  const entries = await listBeneath(root, directory).catch((error: unknown) => {
    if (isFault(error, 'not_found')) return [];
    throw error;
  });
  return entries
    .filter(({ name, stats }) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)) && stats.isFile())
    .map(({ name, stats }) => ({ name, number: Number(name.slice(prefix.length)), size: stats.size }))
    .sort((a, b) => a.number - b.number);
}

/** Where in which file to begin; the offset counts over all files. Pure. */
export function beginAt(
  files: readonly { readonly number: number; readonly size: number }[],
  origin: 'start' | 'end',
  offset: number,
): { readonly number: number; readonly offset: number } {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  let skip = origin === 'start' ? offset : Math.max(0, total - offset);
  for (const file of files) {
    if (skip < file.size) return { number: file.number, offset: skip };
    skip -= file.size;
  }
  const last = files.at(-1);
  return last === undefined ? { number: 0, offset: 0 } : { number: last.number, offset: last.size };
}

/** `ended`: no more output can come: following then ends as well. */
export async function* readLogs(
  root: string,
  request: LogRequest,
  ended: () => boolean,
  signal: AbortSignal,
): AsyncIterable<FileFrame> {
  if (request.offset < 0) throw new Fault('invalid', 'offset can not be negative', { status: 500 });
  const files = await logFiles(root, request.task, request.type);
  let { number, offset } = beginAt(files, request.origin, request.offset);
  let pauseMs = quickest;
  let handle: FileHandle | null = null;
  try {
    while (!signal.aborted) {
      const finished = ended();
      const present = await logFiles(root, request.task, request.type);
      const current = present.find((file) => file.number >= number);
      if (current !== undefined && current.number !== number) {
        // rotated away before it was read to its end
        await handle?.close();
        handle = null;
        number = current.number;
        offset = 0;
      }
      let moved = false;
      if (current !== undefined) {
        const path = `${directory}/${current.name}`;
        handle ??= await openOrNull(root, path);
        if (handle !== null) {
          const { size } = await handle.stat();
          for await (const data of readRange(handle, offset, size, signal)) {
            offset += data.length;
            moved = true;
            yield { file: path, offset, data, event: '' };
          }
        }
        const next = present.find((file) => file.number > number);
        if (next !== undefined && !moved) {
          await handle?.close();
          handle = null;
          number = next.number;
          offset = 0;
          continue;
        }
      }
      if (moved) {
        pauseMs = quickest;
        continue;
      }
      if (!request.follow || finished) return;
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(slowest, pauseMs * 2);
    }
  } finally {
    await handle?.close();
  }
}

async function openOrNull(root: string, path: string): Promise<FileHandle | null> {
  return openBeneath(root, path).catch((error: unknown) => {
    if (isFault(error, 'not_found')) return null;
    throw error;
  });
}
