/**
 * The journal in one LMDB file. A commit is one LMDB transaction: one fdatasync, then the meta page by a synchronous write.
 *
 * At start the file is read and checked without LMDB (lmdb-file.ts). Sound: LMDB opens it. Not sound, or with records that are not what
 * their checksums say: the file is copied to `damaged-<time>/`, what is whole is written to a new file, the rest is listed as damage.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Damage, Journal, JournalCommit, JournalContents } from './journal.ts';
import { type LmdbContents, readLmdbFile } from './lmdb-file.ts';
import { decodeRecord, encodeRecord, recordKey, type StoredRecord, splitKey } from './record.ts';

export interface LmdbJournalOptions {
  /** Made where it is missing. */
  readonly directory: string;
  /** Names the folder that damaged files go to; default: the time now. */
  readonly damageName?: () => string;
}

/** The first record: how far the journal is. Its table is one that no schema has. */
const progressTable = '';
const progressKey = recordKey(progressTable, 'progress');
const format = 1;

interface Progress {
  readonly format: number;
  readonly index: number;
  readonly epoch: number;
}

type Database = RootDatabase<Buffer, Buffer>;

export function lmdbJournal(options: LmdbJournalOptions): Journal {
  return new LmdbJournal(options);
}

class LmdbJournal implements Journal {
  /** A stated limit, so that one write cannot stop all others for long. */
  readonly maxCommitBytes = 64 * 1024 * 1024;
  readonly #file: string;
  readonly #restored: string;
  readonly #options: LmdbJournalOptions;
  #database: Database | null = null;
  #progress: Progress = { format, index: 0, epoch: 0 };

  constructor(options: LmdbJournalOptions) {
    this.#options = options;
    this.#file = join(options.directory, 'data.mdb');
    this.#restored = join(options.directory, 'restored', 'data.mdb');
  }

  async load(): Promise<JournalContents> {
    mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 });
    // A restoration that ended between its two renames.
    if (!existsSync(this.#file) && existsSync(this.#restored)) renameSync(this.#restored, this.#file);
    const found = readState(this.#file);
    const whole = found.damage.length === 0 && found.problems.length === 0;
    // After damage some commits may be missing: the gap keeps an index from being given twice.
    const index = whole ? found.index : found.index + 1000;
    const next = { format, index, epoch: found.epoch + 1 };
    const damage = whole ? [] : await this.#restore(found, next);
    this.#database = openDatabase(this.#options.directory);
    if (whole) await this.#put(this.#database, [progressRecord(next)]);
    this.#progress = next;
    return { index, epoch: next.epoch, rows: found.records, damage };
  }

  async commit(commit: JournalCommit): Promise<number> {
    const database = this.#open();
    if (commit.expectedIndex !== this.#progress.index || commit.epoch !== this.#progress.epoch) {
      const { index, epoch } = this.#progress;
      throw new Fault(
        'conflict',
        `the journal is at ${index} (writer ${epoch}), not at ${commit.expectedIndex} (writer ${commit.epoch})`,
      );
    }
    const next = { format, index: commit.index, epoch: commit.epoch };
    const records = commit.changes.map((change) => ({
      key: recordKey(change.table, change.id),
      value: change.row === null ? null : encodeRecord(change, commit.index),
    }));
    const size = records.reduce((sum, record) => sum + (record.value?.length ?? 0), 0);
    if (size > this.maxCommitBytes)
      throw new Fault('invalid', `a commit of ${size} bytes is above the limit of ${this.maxCommitBytes}`);
    await this.#put(database, [...records, progressRecord(next)]);
    this.#progress = next;
    return commit.index;
  }

  async close(): Promise<void> {
    await this.#database?.close();
    this.#database = null;
  }

  #open(): Database {
    if (this.#database === null) throw new Fault('unavailable', `the state in ${this.#options.directory} is not open`);
    return this.#database;
  }

  /** One transaction; resolves when it is durable. Its callback returns nothing: LMDB would never write a put that is returned. */
  async #put(database: Database, records: readonly EncodedRecord[]): Promise<void> {
    try {
      await database.transaction(() => {
        for (const { key, value } of records) {
          if (value === null) void database.remove(key);
          else void database.put(key, value);
        }
      });
    } catch (error) {
      const reason = await this.#reasonOf(error);
      throw new Fault('unavailable', `cannot write the state to ${this.#file}: ${reason}`, {
        cause: error,
        recoverable: true,
      });
    }
  }

  /** LMDB gives the cause in a promise of its own, which must be waited for: else its rejection would end the process. */
  async #reasonOf(error: unknown): Promise<string> {
    const { commitError } = error as { commitError?: Promise<never> };
    const cause = commitError === undefined ? error : await commitError.catch((reason: unknown) => reason);
    const disk = statfsSync(this.#options.directory);
    // A write cut short by a full disk is reported as an input/output error: what is free says which it was.
    const isFull = /No space left|ENOSPC|MDB_MAP_FULL/.test(messageOf(cause)) || disk.bavail * disk.bsize < 65_536;
    return isFull ? `no space is left on the disk (${messageOf(cause)})` : messageOf(cause);
  }

  /** Writes what is whole to a new file first, then keeps the damaged one in a folder of its own, then takes the new one. */
  async #restore(found: FoundState, progress: Progress): Promise<readonly Damage[]> {
    const building = dirname(this.#restored);
    rmSync(building, { recursive: true, force: true });
    const database = openDatabase(building);
    const records = found.records.map((record) => ({
      key: recordKey(record.table, record.id),
      value: encodeRecord(record, record.index),
    }));
    await this.#put(database, [...records, progressRecord(progress)]);
    await database.close();

    const name = this.#options.damageName?.() ?? new Date().toISOString().replace(/[:.]/g, '-');
    const folder = join(this.#options.directory, `damaged-${name}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const keptAt = join(folder, 'data.mdb');
    const damage = [
      ...found.problems.map((reason) => ({ table: '', id: '', reason, keptAt })),
      ...found.damage.map((record) => ({ ...record, keptAt })),
    ];
    writeFileSync(join(folder, 'damage.json'), `${JSON.stringify(damage, null, 2)}\n`);
    renameSync(this.#file, keptAt);
    renameSync(this.#restored, this.#file);
    rmSync(building, { recursive: true, force: true });
    rmSync(join(this.#options.directory, 'lock.mdb'), { force: true });
    return damage;
  }
}

interface EncodedRecord {
  readonly key: Buffer;
  /** null: remove it. */
  readonly value: Buffer | null;
}

function progressRecord(progress: Progress): EncodedRecord {
  return {
    key: progressKey,
    value: encodeRecord({ table: progressTable, id: 'progress', row: progress }, progress.index),
  };
}

interface FoundState {
  readonly index: number;
  readonly epoch: number;
  readonly records: readonly StoredRecord[];
  readonly problems: readonly string[];
  readonly damage: readonly { readonly table: string; readonly id: string; readonly reason: string }[];
}

function readState(file: string): FoundState {
  const contents = existsSync(file) ? readFile(file) : { entries: [], problems: [] };
  const records: StoredRecord[] = [];
  const damage: FoundState['damage'][number][] = [];
  let progress: Progress | null = null;
  for (const { key, value } of contents.entries) {
    const record = decodeRecord(key, value);
    const [table, id] = splitKey(key);
    if (typeof record === 'string') damage.push({ table, id, reason: record });
    else if (record.table === progressTable) progress = record.row as Progress;
    else records.push(record);
  }
  if (progress !== null && progress.format !== format) {
    throw new Fault(
      'unsupported',
      `the state in ${file} has format ${progress.format}; this program reads format ${format}`,
    );
  }
  const newest = records.reduce((index, record) => Math.max(index, record.index), 0);
  const missing =
    progress === null && contents.entries.length > 0 ? ['the record of how far the state is was lost'] : [];
  return {
    index: Math.max(progress?.index ?? 0, newest),
    epoch: progress?.epoch ?? 0,
    records,
    problems: [...contents.problems, ...missing],
    damage,
  };
}

/** An empty file is a new one: the agent ended before its first write. */
function readFile(file: string): LmdbContents {
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    return size === 0 ? { entries: [], problems: [] } : readLmdbFile(fileSource(descriptor, size));
  } finally {
    closeSync(descriptor);
  }
}

/** Reads ahead: pages near each other are mostly asked for one after the other. */
function fileSource(
  descriptor: number,
  size: number,
): { size: number; read(offset: number, length: number): Buffer | undefined } {
  const chunkLength = 1024 * 1024;
  const chunks = new Map<number, Buffer>();
  const chunk = (number: number): Buffer => {
    const known = chunks.get(number);
    if (known !== undefined) return known;
    const buffer = Buffer.alloc(Math.min(chunkLength, size - number * chunkLength));
    const read = readSync(descriptor, buffer, 0, buffer.length, number * chunkLength);
    chunks.set(number, buffer.subarray(0, read));
    return buffer.subarray(0, read);
  };
  return {
    size,
    read(offset, length) {
      if (offset < 0 || offset + length > size) return undefined;
      const first = Math.floor(offset / chunkLength);
      const at = offset - first * chunkLength;
      if (at + length <= chunkLength) return chunk(first).subarray(at, at + length);
      const last = Math.floor((offset + length - 1) / chunkLength);
      const parts = Array.from({ length: last - first + 1 }, (_, part) => chunk(first + part));
      return Buffer.concat(parts).subarray(at, at + length);
    },
  };
}

function openDatabase(directory: string): Database {
  return open<Buffer, Buffer>({
    path: directory,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    cache: false,
    compression: false,
    maxDbs: 0,
    pageSize: 4096,
    // With it a commit would resolve before it is on the disk.
    overlappingSync: false,
    // The store above gathers writes while a commit is in flight; waiting here as well would only add time.
    commitDelay: 0,
    eventTurnBatching: false,
  });
}
