/** The files of an allocation for the API. Every path goes through lib/node/safe-path: tasks own these trees. */
import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Fault } from '../lib/fault.ts';
import { listBeneath, openBeneath, statBeneath } from '../lib/node/safe-path.ts';
import type { FileInfo } from '../model/file-info.ts';
import { contentType } from './content-type.ts';

const chunk = 64 * 1024;

/**
 * What a directory of an allocation holds, by name; links are not followed. Faults: `not_found`, `denied` for a path that leads outside.
 */
export async function listFiles(root: string, path: string): Promise<readonly FileInfo[]> {
  return (await listBeneath(root, path)).map(({ name, stats }) => fileInfo(name, stats));
}

/** One file or directory of an allocation, with its content type. Faults as `listFiles`. */
export async function statFile(root: string, path: string): Promise<FileInfo> {
  const { name, stats } = await statBeneath(root, path);
  const info = fileInfo(name || (root.split('/').pop() ?? ''), stats);
  return { ...info, ContentType: stats.isFile() ? await sniff(root, path) : 'application/octet-stream' };
}

async function sniff(root: string, path: string): Promise<string> {
  const handle = isSecret(path) ? null : await openBeneath(root, path).catch(() => null);
  if (handle === null) return 'application/octet-stream';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    return contentType(path, buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** `limit` −1: to the end as it is now. */
export async function* readFilePart(
  root: string,
  path: string,
  range: { readonly offset: number; readonly limit: number },
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  refuseSecrets(path);
  if (range.offset < 0) throw new Fault('invalid', 'offset can not be negative', { status: 500 });
  const handle = await openBeneath(root, path);
  try {
    const { size } = await handle.stat();
    const end = range.limit < 0 ? size : Math.min(size, range.offset + range.limit);
    yield* readRange(handle, range.offset, end, signal);
  } finally {
    await handle.close();
  }
}

export async function* readRange(
  handle: FileHandle,
  from: number,
  end: number,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for (let at = from; at < end && !signal.aborted; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(Math.min(chunk, end - at)), 0, undefined, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** What is in `<task>/secrets` and `<task>/private` does not leave through the API. */
export function refuseSecrets(path: string): void {
  if (isSecret(path)) throw new Fault('denied', `Reading secret file prohibited: ${path}`, { status: 500 });
}

function isSecret(path: string): boolean {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names[0] !== 'alloc' && (names[1] === 'secrets' || names[1] === 'private');
}

function fileInfo(name: string, stats: Stats): FileInfo {
  return {
    Name: name,
    IsDir: stats.isDirectory(),
    Size: stats.size,
    FileMode: goMode(stats),
    ModTime: stats.mtime.toISOString(),
  };
}

const fileKinds: ReadonlyMap<number, string> = new Map([
  [0o040000, 'd'],
  [0o120000, 'L'],
  [0o060000, 'D'],
  [0o010000, 'p'],
  [0o140000, 'S'],
  [0o020000, 'Dc'],
]);

/** Go's notation: type letters, set bits, then nine permission letters: `"dtrwxrwxrwx"`, `"Srw-rw-rw-"`. */
export function goMode(stats: Pick<Stats, 'mode'>): string {
  let letters = fileKinds.get(stats.mode & 0o170000) ?? '';
  if (stats.mode & 0o4000) letters += 'u';
  if (stats.mode & 0o2000) letters += 'g';
  if (stats.mode & 0o1000) letters += 't';
  const permissions = 'rwxrwxrwx'.split('').map((letter, i) => (stats.mode & (0o400 >> i) ? letter : '-'));
  return (letters || '-') + permissions.join('');
}
