import { assert } from '../lib/assert.ts';
import { Fault } from '../lib/fault.ts';
import type { Journal, JournalChange, JournalCommit, JournalContents } from './journal.ts';
import { decodeRecord, encodeRecord, recordKey, rowText } from './record.ts';

/** What outlives a writer: two fake journals on one disk are two writers, and a new one on an old disk is a restart. */
export class FakeDisk {
  readonly rows = new Map<string, JournalChange>();
  index = 0;
  epoch = 0;
}

export interface FakeJournalOptions {
  readonly disk: FakeDisk;
  /** Asked before each commit: `lost` writes nothing, `unsure` writes all and says it failed. Default: never fails. */
  readonly fail?: () => 'no' | 'lost' | 'unsure';
  /** Awaited before each commit is done. Default: one turn. */
  readonly delay?: () => Promise<void>;
  readonly maxCommitBytes?: number;
}

/** A journal in memory, with the failures a disk has: for tests and the simulation. */
export function fakeJournal(options: FakeJournalOptions): Journal {
  return new FakeJournal(options);
}

class FakeJournal implements Journal {
  readonly maxCommitBytes: number;
  readonly #options: FakeJournalOptions;
  #closed = false;

  constructor(options: FakeJournalOptions) {
    this.#options = options;
    this.maxCommitBytes = options.maxCommitBytes ?? 64 * 1024 * 1024;
  }

  async load(): Promise<JournalContents> {
    const { disk } = this.#options;
    disk.epoch += 1;
    return { index: disk.index, epoch: disk.epoch, rows: [...disk.rows.values()], damage: [] };
  }

  async commit(commit: JournalCommit): Promise<number> {
    await (this.#options.delay?.() ?? Promise.resolve());
    const { disk } = this.#options;
    if (this.#closed) throw new Fault('unavailable', 'the journal is closed');
    if (commit.expectedIndex !== disk.index || commit.epoch !== disk.epoch) {
      throw new Fault(
        'conflict',
        `the journal is at ${disk.index} (writer ${disk.epoch}), not at ${commit.expectedIndex}`,
      );
    }
    const size = commit.changes.reduce((sum, change) => sum + rowText(change.row).length, 0);
    if (size > this.maxCommitBytes) throw new Fault('invalid', `a commit of ${size} bytes is above the limit`);
    const outcome = this.#options.fail?.() ?? 'no';
    if (outcome !== 'lost') this.#apply(commit);
    if (outcome !== 'no') throw new Fault('unavailable', `the disk failed (${outcome})`);
    return commit.index;
  }

  #apply(commit: JournalCommit): void {
    const { disk } = this.#options;
    for (const { table, id, row } of commit.changes) {
      const key = `${table}\u0000${id}`;
      if (row === null) disk.rows.delete(key);
      else disk.rows.set(key, asRead({ table, id, row }));
    }
    disk.index = commit.index;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

/** Through its bytes, as on a disk: what a row holds beyond them is lost here too. */
function asRead(change: JournalChange): JournalChange {
  const record = decodeRecord(recordKey(change.table, change.id), encodeRecord(change, 0));
  assert(typeof record !== 'string', 'a record is read as it was written');
  return { table: record.table, id: record.id, row: record.row };
}
