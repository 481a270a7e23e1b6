/**
 * A second copy of the state beside LMDB's file: every commit once more, appended to a plain file, without a sync of its own. It counts only
 * when LMDB's file is damaged: then it gives back what that lost.
 *
 *   file   frames, one after the other; the first ones hold all rows as of some commit, each later one a commit
 *   frame  length (4 bytes), CRC-32 of the payload (4), payload, length (4)      numbers big-endian
 *   payload  UTF-8 JSON: {"index":n,"epoch":n,"changes":[["table","id",row | null], …]}
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { freeBytes } from './disk-room.ts';
import type { JournalChange } from './journal.ts';
import { parseRowText, rowText } from './record.ts';

export interface LoggedCommit {
  readonly index: number;
  readonly epoch: number;
  readonly changes: readonly JournalChange[];
}

const largestFrame = 512 * 1024 * 1024;
const rowsPerFrame = 500;

/** The index of the last whole frame; undefined: there is no log, or it does not end with a whole one. Reads the end of the file only. */
export function lastLoggedIndex(file: string): { readonly index: number; readonly size: number } | undefined {
  return withFile(file, (descriptor, size) => {
    const end = readAt(descriptor, size - 4, 4);
    if (end === undefined) return undefined;
    const start = size - 12 - end.readUInt32BE(0);
    const frame = start < 0 ? undefined : readFrame(descriptor, start);
    return frame === undefined ? undefined : { index: frame.commit.index, size };
  });
}

/** Every commit up to the end or the first frame that is not whole. */
export function readLog(file: string, use: (commit: LoggedCommit) => void): void {
  withFile(file, (descriptor) => {
    for (let at = 0, frame = readFrame(descriptor, at); frame !== undefined; frame = readFrame(descriptor, at)) {
      use(frame.commit);
      at = frame.end;
    }
    return undefined;
  });
}

/**
 * Appends in the order asked for, in the background. A log that cannot be written is taken away: better none than one with a hole. It is
 * overdue then, `retryMs` later, as soon as the disk has room for two of it.
 */
export class CommitLog {
  readonly #file: string;
  readonly #failed: (error: unknown) => void;
  readonly #retryMs: number;
  #handle: FileHandle | null = null;
  #queue: Promise<void> = Promise.resolve();
  /** When it could not be written, in ms of `performance.now()`; null: it could. */
  #brokenAt: number | null = null;
  #size = 0;
  /** How much of it are the rows it begins with. */
  #base = 0;
  #rewriting = false;

  constructor(file: string, failed: (error: unknown) => void, retryMs = 60_000) {
    this.#file = file;
    this.#retryMs = retryMs;
    this.#failed = failed;
  }

  /** Has it grown to several times what it must be, and above the limit? Or was it taken away, and could be there again? */
  isOverdue(limitBytes: number): boolean {
    if (this.#rewriting) return false;
    if (this.#brokenAt === null) return this.#size > Math.max(limitBytes, 2 * this.#base);
    return performance.now() - this.#brokenAt > this.#retryMs && freeBytes(dirname(this.#file)) > 2 * this.#size;
  }

  /** Goes on at the end of the log that is there. */
  continue(size: number): void {
    this.#size = size;
    // What of it is rows is not known: it may double.
    this.#base = size / 2;
    this.#then(async () => {
      this.#handle = await open(this.#file, 'a', 0o600);
    });
  }

  append(commit: LoggedCommit): void {
    const frame = encodeFrame(commit);
    this.#size += frame.length;
    this.#then(async () => {
      await this.#handle?.appendFile(frame);
    });
  }

  /** Begins anew with all rows; what is appended meanwhile follows them. */
  rewrite(index: number, epoch: number, rows: Iterable<JournalChange>): void {
    this.#size = 0;
    this.#base = 0;
    this.#rewriting = true;
    this.#brokenAt = null;
    this.#then(async () => {
      await this.#handle?.close();
      const next = `${this.#file}.new`;
      const handle = await open(next, 'w', 0o600);
      this.#handle = handle;
      let changes: JournalChange[] = [];
      const flush = async (): Promise<void> => {
        const frame = encodeFrame({ index, epoch, changes });
        changes = [];
        this.#size += frame.length;
        this.#base += frame.length;
        await handle.appendFile(frame);
      };
      for (const row of rows) if (changes.push(row) === rowsPerFrame) await flush();
      await flush();
      await handle.datasync();
      await rename(next, this.#file);
      this.#rewriting = false;
    });
  }

  async close(): Promise<void> {
    await this.#queue;
    await this.#handle?.close();
    this.#handle = null;
  }

  #then(step: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (this.#brokenAt !== null) return;
      try {
        await step();
      } catch (error) {
        this.#brokenAt = performance.now();
        this.#rewriting = false;
        this.#failed(error);
        await this.#handle?.close().catch(() => undefined);
        this.#handle = null;
        for (const file of [this.#file, `${this.#file}.new`]) await rm(file, { force: true }).catch(() => undefined);
      }
    });
  }
}

function encodeFrame({ index, epoch, changes }: LoggedCommit): Buffer {
  const rows = changes.map(({ table, id, row, json }) => {
    return `[${JSON.stringify(table)},${JSON.stringify(id)},${row === null ? 'null' : (json ?? rowText(row))}]`;
  });
  const payload = Buffer.from(`{"index":${index},"epoch":${epoch},"changes":[${rows.join(',')}]}`);
  const frame = Buffer.allocUnsafe(payload.length + 12);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt32BE(crc32(payload), 4);
  payload.copy(frame, 8);
  frame.writeUInt32BE(payload.length, payload.length + 8);
  return frame;
}

function readFrame(
  descriptor: number,
  at: number,
): { readonly commit: LoggedCommit; readonly end: number } | undefined {
  const head = readAt(descriptor, at, 8);
  const length = head?.readUInt32BE(0) ?? largestFrame;
  // zeros are what a power cut leaves where the file had grown: they would be an empty payload with its right checksum
  if (head === undefined || length === 0 || length >= largestFrame) return undefined;
  const payload = readAt(descriptor, at + 8, length);
  if (payload === undefined || crc32(payload) !== head.readUInt32BE(4)) return undefined;
  const parsed = parseRowText(payload.toString()) as {
    index: number;
    epoch: number;
    changes: [string, string, object | null][];
  };
  const changes = parsed.changes.map(([table, id, row]) => ({ table, id, row }));
  return { commit: { index: parsed.index, epoch: parsed.epoch, changes }, end: at + length + 12 };
}

function withFile<R>(file: string, use: (descriptor: number, size: number) => R | undefined): R | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return use(descriptor, fstatSync(descriptor).size);
  } finally {
    closeSync(descriptor);
  }
}

function readAt(descriptor: number, at: number, length: number): Buffer | undefined {
  if (at < 0 || at + length > fstatSync(descriptor).size) return undefined;
  const buffer = Buffer.alloc(length);
  return readSync(descriptor, buffer, 0, length, at) === length ? buffer : undefined;
}
