/**
 * The journal in one LMDB file. A commit is one LMDB transaction: one fdatasync, then the meta page by a synchronous write.
 *
 * At start the file is read and checked without LMDB (lmdb-file.ts). Sound: LMDB opens it. Not sound, or with records that are not what
 * their checksums say: the file goes to `damaged-<time>/`, what is whole in it and in the second copy (commit-log.ts) is written to a new
 * file, and all that was wrong is listed as damage.
 */
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { Fault, messageOf } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { CommitLog, lastLoggedIndex } from './commit-log.ts';
import { makeLockFile, takeRoom } from './disk-room.ts';
import {
  completed,
  type FoundState,
  format,
  type Progress,
  progressKey,
  progressTable,
  readState,
} from './found-state.ts';
import type { Damage, Journal, JournalChange, JournalCommit, JournalContents } from './journal.ts';
import { decodeRecord, encodeRecord, recordKey } from './record.ts';

export interface LmdbJournalOptions {
  /** Made where it is missing. */
  readonly directory: string;
  /** Names the folder that damaged files go to; default: the time now. */
  readonly damageName?: () => string;
  /** Bytes at which the second copy is written anew (at least twice what it began with). Default: 64 MiB. */
  readonly logLimitBytes?: number;
  /** Told when the second copy cannot be written any more (a full disk): commits go on without it. */
  readonly copyFailed?: (error: unknown) => void;
  /** Milliseconds after that until it is written anew, where there is room. Default: a minute. */
  readonly copyRetryMs?: number;
}

const defaultLogLimit = 64 * 1024 * 1024;

type Database = RootDatabase<Buffer, Buffer>;

export function lmdbJournal(options: LmdbJournalOptions): Journal {
  return new LmdbJournal(options);
}

class LmdbJournal implements Journal {
  /** A stated limit, so that one write cannot stop all others for long. */
  readonly maxCommitBytes = 64 * 1024 * 1024;
  readonly #file: string;
  readonly #restored: string;
  readonly #logFile: string;
  readonly #log: CommitLog;
  readonly #options: LmdbJournalOptions;
  #database: Database | null = null;
  #progress: Progress = { format, index: 0, epoch: 0 };

  constructor(options: LmdbJournalOptions) {
    this.#options = options;
    this.#file = join(options.directory, 'data.mdb');
    this.#restored = join(options.directory, 'restored', 'data.mdb');
    this.#logFile = join(options.directory, 'commits.log');
    this.#log = new CommitLog(this.#logFile, options.copyFailed ?? (() => {}), options.copyRetryMs);
  }

  async load(): Promise<JournalContents> {
    // A restoration that ended between its two renames.
    if (!existsSync(this.#file) && existsSync(this.#restored)) renameSync(this.#restored, this.#file);
    const found = this.#find();
    const whole = found.damage.length === 0 && found.problems.length === 0;
    // After damage some commits may be missing: the gap keeps an index from being given twice.
    const index = whole ? found.index : found.index + 1000;
    const next = { format, index, epoch: found.epoch + 1 };
    const damage = whole ? [] : await this.#restore(found, next);
    this.#database = openDatabase(this.#options.directory);
    try {
      if (whole) await this.#put(this.#database, this.#file, [progressRecord(next)]);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#progress = next;
    const logged = lastLoggedIndex(this.#logFile);
    if (whole && logged?.index === index) this.#log.continue(logged.size);
    else this.#log.rewrite(index, next.epoch, found.records);
    return { index, epoch: next.epoch, rows: found.records, damage };
  }

  /** What LMDB's file has; where that is not whole, completed from the second copy. */
  #find(): FoundState {
    const found = readState(this.#file);
    const logged = lastLoggedIndex(this.#logFile);
    const isGone = found.index === 0 && (logged?.index ?? 0) > 0;
    if (!isGone && found.damage.length === 0 && found.problems.length === 0) return found;
    return completed(
      isGone ? { ...found, problems: [...found.problems, 'the file is missing or empty'] } : found,
      this.#logFile,
    );
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
    await this.#put(database, this.#file, [...records, progressRecord(next)]);
    this.#progress = next;
    this.#log.append({ index: commit.index, epoch: commit.epoch, changes: commit.changes });
    if (this.#log.isOverdue(this.#options.logLimitBytes ?? defaultLogLimit)) {
      this.#log.rewrite(next.index, next.epoch, rowsOf(database));
    }
    return commit.index;
  }

  async close(): Promise<void> {
    await this.#log.close();
    await this.#database?.close();
    this.#database = null;
  }

  #open(): Database {
    if (this.#database === null) throw new Fault('unavailable', `the state in ${this.#options.directory} is not open`);
    return this.#database;
  }

  /**
   * One transaction; resolves when it is durable. As a batch LMDB's own thread goes through it alone: one with a callback waits in the
   * middle for this thread, which may be busy for milliseconds with what the last commit began.
   */
  async #put(database: Database, file: string, records: readonly EncodedRecord[]): Promise<void> {
    try {
      takeRoom(
        file,
        records.map(({ key, value }) => ({ key: key.length, value: value?.length ?? 0 })),
      );
      await database.batch(() => {
        for (const { key, value } of records) {
          if (value === null) void database.remove(key);
          else void database.put(key, value);
        }
      });
    } catch (error) {
      throw unavailable(`cannot write the state to ${file}`, await causeOf(error));
    }
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
    try {
      await this.#put(database, join(building, 'data.mdb'), [...records, progressRecord(progress)]);
    } finally {
      await database.close();
    }

    const name = this.#options.damageName?.() ?? new Date().toISOString().replace(/[:.]/g, '-');
    const folder = join(this.#options.directory, `damaged-${name}`);
    makeDirectories(folder, 0o700);
    const keptAt = join(folder, 'data.mdb');
    const damage = [
      ...found.problems.map((reason) => ({ table: '', id: '', reason, keptAt })),
      ...found.damage.map((record) => ({ ...record, keptAt })),
    ];
    writeFileSync(join(folder, 'damage.json'), `${JSON.stringify(damage, null, 2)}\n`);
    if (existsSync(this.#file)) renameSync(this.#file, keptAt);
    renameSync(this.#restored, this.#file);
    rmSync(building, { recursive: true, force: true });
    return damage;
  }
}

/** LMDB gives the cause in a promise of its own, which must be waited for: else its rejection would end the process. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError === undefined ? error : commitError.catch((reason: unknown) => reason);
}

function unavailable(what: string, cause: unknown): Fault {
  const isFull = /ENOSPC|EDQUOT|MDB_MAP_FULL/.test(`${(cause as NodeJS.ErrnoException).code} ${messageOf(cause)}`);
  const reason = isFull ? `no space is left on the disk (${messageOf(cause)})` : messageOf(cause);
  return new Fault('unavailable', `${what}: ${reason}`, { cause, recoverable: true });
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

/** All rows, a few at a time: what changes between two of these is appended to the log after them, so that in the end it is right. */
function* rowsOf(database: Database): Iterable<JournalChange> {
  const atATime = 500;
  for (let start: Buffer | undefined; ; ) {
    const entries = [...database.getRange({ ...(start && { start, exclusiveStart: true }), limit: atATime })];
    for (const { key, value } of entries) {
      const record = decodeRecord(Buffer.from(key), Buffer.from(value));
      if (typeof record !== 'string' && record.table !== progressTable) yield record;
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < atATime) return;
    start = Buffer.from(last.key);
  }
}

/** Makes the directory where it is missing. */
function openDatabase(directory: string): Database {
  try {
    makeDirectories(directory, 0o700);
    makeLockFile(join(directory, 'lock.mdb'));
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
  } catch (error) {
    throw unavailable(`cannot open the state in ${directory}`, error);
  }
}
