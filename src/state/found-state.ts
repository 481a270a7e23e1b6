/** What a data directory holds, read without LMDB: its file as far as it is whole, completed from the second copy where it is not. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { Fault } from '../lib/fault.ts';
import { readLog } from './commit-log.ts';
import { readLmdbFile } from './lmdb-file.ts';
import type { PageSource } from './lmdb-meta.ts';
import { decodeRecord, recordKey, type StoredRecord, splitKey } from './record.ts';

/** The first record: how far the journal is. Its table is one that no schema has. */
export const progressTable = '';
export const progressKey = recordKey(progressTable, 'progress');
export const format = 1;

export interface Progress {
  readonly format: number;
  readonly index: number;
  readonly epoch: number;
}

/** The second copy's rows, and of the file's those that are newer. What the copy knows to be deleted stays deleted. */
export function completed(found: FoundState, logFile: string): FoundState {
  const rows = new Map<string, StoredRecord>();
  let [index, epoch] = [0, 0];
  readLog(logFile, (commit) => {
    [index, epoch] = [commit.index, commit.epoch];
    for (const { table, id, row } of commit.changes) {
      if (row === null) rows.delete(`${table}\u0000${id}`);
      else rows.set(`${table}\u0000${id}`, { table, id, row, index });
    }
  });
  if (index === 0) return found;
  for (const record of found.records) if (record.index > index) rows.set(`${record.table}\u0000${record.id}`, record);
  const note = `(restored from the second copy, which goes up to commit ${index})`;
  return {
    index: Math.max(index, found.index),
    epoch: Math.max(epoch, found.epoch),
    records: [...rows.values()],
    problems: found.problems.map((reason) => `${reason} ${note}`),
    damage: found.damage.map((record) => ({
      ...record,
      reason: rows.has(`${record.table}\u0000${record.id}`) ? `${record.reason} ${note}` : record.reason,
    })),
  };
}

export interface FoundState {
  readonly index: number;
  readonly epoch: number;
  readonly records: readonly StoredRecord[];
  readonly problems: readonly string[];
  readonly damage: readonly { readonly table: string; readonly id: string; readonly reason: string }[];
}

export function readState(file: string): FoundState {
  const records: StoredRecord[] = [];
  const damage: FoundState['damage'][number][] = [];
  let progress: Progress | null = null as Progress | null;
  let entries = 0;
  const problems = readFile(file, (key, value) => {
    entries++;
    const record = decodeRecord(key, value);
    const [table, id] = typeof record === 'string' ? splitKey(key) : [record.table, record.id];
    if (typeof record === 'string') damage.push({ table, id, reason: record });
    else if (table === progressTable) progress = record.row as Progress;
    else records.push(record);
  });
  if (progress !== null && progress.format !== format) {
    throw new Fault(
      'unsupported',
      `the state in ${file} has format ${progress.format}; this program reads format ${format}`,
    );
  }
  const newest = records.reduce((index, record) => Math.max(index, record.index), 0);
  const missing = progress === null && entries > 0 ? ['the record of how far the state is was lost'] : [];
  return {
    index: Math.max(progress?.index ?? 0, newest),
    epoch: progress?.epoch ?? 0,
    records,
    problems: [...problems, ...missing],
    damage,
  };
}

/** What is wrong with the file. One that is missing or empty is a new one: the agent ended before its first write. */
function readFile(file: string, take: (key: Buffer, value: Buffer) => void): readonly string[] {
  if (!existsSync(file)) return [];
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    return size === 0 ? [] : readLmdbFile(fileSource(descriptor, size), take);
  } finally {
    closeSync(descriptor);
  }
}

/** Pages near each other are often asked for one after the other, but not always: a chunk costs little more than the page. */
const chunkLength = 32 * 1024;
const chunksKept = 1024;

/** Reads into the same memory again and again: with new buffers for a large file, collecting them took longer than reading it. */
function fileSource(descriptor: number, size: number): PageSource {
  const chunks = new Map<number, Buffer>();
  const fill = (buffer: Buffer, offset: number) =>
    buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, offset));
  const chunk = (number: number): Buffer => {
    const known = chunks.get(number);
    if (known !== undefined) return known;
    const offset = number * chunkLength;
    const [oldest, memory] = chunks.size < chunksKept ? [] : chunks.entries().next().value!;
    if (oldest !== undefined) chunks.delete(oldest);
    const length = Math.min(chunkLength, size - offset);
    const bytes = fill(memory?.length === length ? memory : Buffer.allocUnsafeSlow(length), offset);
    chunks.set(number, bytes);
    return bytes;
  };
  let scratch = Buffer.alloc(0);
  return {
    size,
    read(offset, length) {
      if (offset < 0 || offset + length > size) return undefined;
      const first = Math.floor(offset / chunkLength);
      const at = offset - first * chunkLength;
      if (at + length <= chunkLength) return chunk(first).subarray(at, at + length);
      if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(2 * length);
      return fill(scratch.subarray(0, length), offset);
    },
  };
}
