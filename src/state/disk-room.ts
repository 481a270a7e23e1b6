/**
 * Room on the disk for LMDB's next commit, had before LMDB is asked to write.
 *
 * LMDB must not meet a full disk: where the system refuses one of its pages, lmdb (3.5.6) writes the message beyond the memory it took for
 * it, and the process ends then or later. So its file is always longer than the next commit can need, by zeros that are written here,
 * where a refusal is an ordinary error. What fits into the file is committed on a full disk too: what ended there can be collected.
 */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type LmdbMeta, readMetas } from './lmdb-meta.ts';

/** Bytes. */
export interface RecordSize {
  readonly key: number;
  /** 0 where the record goes. */
  readonly value: number;
}

const headerLength = 24;
const lockLength = 16 * 1024;
/** By the number `statfs` gives: ext2 to ext4, XFS, tmpfs. */
const writesInPlace = new Set([0xef53, 0x58465342, 0x01021994]);
const leftForOthers = 64 * 1024;
/** For small commits on a full disk. */
const ahead = 256 * 1024;
const mostAhead = 2 * 1024 * 1024;
const mostHoles = 64 * 1024 * 1024;

/**
 * Makes room in LMDB's file for a commit of these records. Nobody may write to it meanwhile.
 * @throws the system's error (`ENOSPC`, `EDQUOT`, `EROFS`, …): there is none; the file is as it was
 */
export function takeRoom(file: string, records: readonly RecordSize[]): void {
  const descriptor = openSync(file, 'r+');
  try {
    const { size, blocks } = fstatSync(descriptor);
    const { meta } = readMetas({ size, read: (offset, length) => bytesAt(descriptor, offset, length) });
    if (meta === null) return;
    // a page that was never written may need a place of its own now; with file systems that do not write in place any page may
    const holes = Math.min(Math.max(0, size - blocks * 512), mostHoles);
    if (holes > 0 || !writesInPlace.has(statfsSync(file).type)) {
      const wanted = records.reduce((sum, { value }) => sum + value, holes + leftForOthers);
      if (freeBytes(file) < wanted) throw noSpace(`less than ${wanted} bytes are free`);
    }
    const used = (meta.lastPage + 1) * meta.pageSize;
    const needed = used + pagesFor(records, meta) * meta.pageSize;
    if (size < needed) lengthen(descriptor, size, needed + ahead + Math.min(used / 8, mostAhead));
  } finally {
    closeSync(descriptor);
  }
}

/** LMDB makes its table of readers by length alone: a page of it that the disk has no place for would end the process at the first touch. */
export function makeLockFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && found.size >= lockLength && found.blocks * 512 >= found.size) return;
  rmSync(file, { force: true });
  writeFileSync(file, Buffer.alloc(lockLength), { mode: 0o600 });
}

/**
 * At most how many pages a commit of these records takes from the end of the file.
 *
 * Each record has the pages from the root to its leaf written anew, each of them may be divided, and one that goes may join two; all of
 * that is at most the whole tree, and what the records themselves fill, each page to a quarter. A value that fills half a page has pages
 * of its own. The pages no longer used are listed, eight bytes each.
 */
export function pagesFor(records: readonly RecordSize[], { pageSize, main, free, lastPage }: LmdbMeta): number {
  let [own, inLeaves] = [0, 0];
  for (const { key, value } of records) {
    const isLarge = key + value > pageSize / 2 - 2 * headerLength;
    own += isLarge ? Math.ceil((headerLength + value) / pageSize) : 0;
    inLeaves += key + (isLarge ? 0 : value) + headerLength;
  }
  const alongPaths = records.length * 3 * (main.depth + 1);
  const atMost = main.pages + Math.ceil((4 * inLeaves) / pageSize) * 2 + main.depth;
  const listed = Math.ceil((16 * (lastPage + own)) / pageSize);
  return own + Math.min(alongPaths, atMost) + listed + 4 * (free.depth + 1) + 16;
}

/** Writes zeros up to `end`; where they have no place the file gets its old length back. */
function lengthen(descriptor: number, size: number, end: number): void {
  const zeros = Buffer.alloc(256 * 1024);
  try {
    for (let at = size; at < end; )
      at += writeSync(descriptor, zeros, 0, Math.min(zeros.length, Math.ceil(end - at)), at);
  } catch (error) {
    ftruncateSync(descriptor, size);
    throw error;
  }
}

/** Of the file's disk. */
export function freeBytes(file: string): number {
  const { bavail, bfree, bsize } = statfsSync(file);
  // what a file system keeps back, it keeps for root
  return bsize * (process.getuid?.() === 0 ? bfree : bavail);
}

function bytesAt(descriptor: number, offset: number, length: number): Buffer | undefined {
  const bytes = Buffer.alloc(length);
  return readSync(descriptor, bytes, 0, length, offset) === length ? bytes : undefined;
}

const noSpace = (why: string): Error => Object.assign(new Error(why), { code: 'ENOSPC' });
