/**
 * The store over a journal.
 *
 *   building ──full or journal idle──▶ committing ──durable──▶ published
 *                                          └──refused──▶ head goes back to what is published; the batch and all later ones are rejected
 *
 * A write runs at once on the head, which also has what is not durable yet; writes that come while a commit is in flight share the next.
 * When a commit fails, writes built on it are rejected too (`unavailable`) rather than run again: what their callers decided they decided
 * on a state that never was, and only the caller knows how to decide anew.
 */
import { setImmediate } from 'node:timers/promises';
import { assert } from '../lib/assert.ts';
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import type { Damage, Journal, JournalChange } from './journal.ts';
import { MemoryTables } from './memory-tables.ts';
import { rowText } from './record.ts';
import type { Change, Schema, Snapshot, Store, TableSpecs, Watch } from './store.ts';
import { noteKey, noteRow, noteTable, Watches } from './watches.ts';

export interface OpenedStore<S extends Schema<S>> {
  readonly store: Store<S>;
  /** What the journal could not give back. */
  readonly damage: readonly Damage[];
}

export interface StoreOptions<S extends Schema<S>> {
  readonly tables: TableSpecs<S>;
  readonly journal: Journal;
  /** Freeze every row, all the way down: for tests, it costs more than the write. Default: false. */
  readonly freeze?: boolean;
  /**
   * The first of several writes waits for all that follow from it in this turn of the loop, some promises later, rather than for one
   * promise: one commit less where one thing leads to the next, later by what else the turn has to do. Default: false.
   */
  readonly gathers?: boolean;
}

/** Reads everything back. Rows of tables that are not in `tables` stay in the journal, untouched (a newer version's). */
export async function openStore<S extends Schema<S>>(options: StoreOptions<S>): Promise<OpenedStore<S>> {
  const contents = await options.journal.load();
  const tables = MemoryTables.empty(options.tables);
  tables.restore(
    [...contents.rows].filter((change) => Object.hasOwn(options.tables, change.table)),
    contents.index,
  );
  return { store: new JournaledStore(options, tables, contents.epoch), damage: contents.damage };
}

interface Batch {
  readonly writes: { readonly resolve: () => void; readonly reject: (reason: unknown) => void }[];
  /** `table NUL id` → the last change of it. */
  readonly changes: Map<string, JournalChange>;
  readonly notes: Set<string>;
  bytes: number;
  index: number;
  /** The tables as of the batch's last write; set when no more writes may join. */
  sealed: unknown;
}

class JournaledStore<S extends Schema<S>> implements Store<S> {
  readonly #journal: Journal;
  readonly #freeze: boolean;
  readonly #gathers: boolean;
  readonly #epoch: number;
  readonly #watches = new Watches();
  #head: MemoryTables<S>;
  #published: MemoryTables<S>;
  #batches: Batch[] = [];
  #committing: Promise<void> | null = null;
  /** Why nothing is taken any more. */
  #refusal: string | null = null;

  constructor(options: StoreOptions<S>, tables: MemoryTables<S>, epoch: number) {
    this.#journal = options.journal;
    this.#freeze = options.freeze ?? false;
    this.#gathers = options.gathers ?? false;
    this.#epoch = epoch;
    this.#head = tables;
    this.#published = tables.copy();
  }

  snapshot(): Snapshot<S> {
    return this.#published;
  }

  async write<R>(
    build: (head: Snapshot<S>, index: number) => { readonly changes: readonly Change<S>[]; readonly result: R },
  ): Promise<{ readonly index: number; readonly result: R }> {
    if (this.#refusal !== null) throw new Fault('unavailable', this.#refusal);
    const index = this.#head.index + 1;
    const { changes, result } = build(this.#head, index);
    if (changes.length === 0) return { index: this.#head.index, result };
    const encoded = changes.map((change) => this.#encode(change));
    const bytes = encoded.reduce((sum, change) => sum + change.id.length + (change.json?.length ?? 0) + 64, 0);
    if (bytes > this.#journal.maxCommitBytes) {
      throw new Fault(
        'invalid',
        `a write of ${bytes} bytes is more than one commit takes (${this.#journal.maxCommitBytes})`,
      );
    }
    const batch = this.#batchFor(bytes);
    this.#note(batch, changes);
    this.#head.apply(changes, index);
    for (const change of encoded) batch.changes.set(`${change.table}\u0000${change.id}`, change);
    batch.bytes += bytes;
    batch.index = index;
    await new Promise<void>((resolve, reject) => {
      batch.writes.push({ resolve, reject });
      this.#committing ??= this.#commitAll();
    });
    return { index, result };
  }

  changed(watch: Watch<S>, signal: AbortSignal): Promise<void> {
    if (watch.tables.some((table) => this.#published.tableIndex(table) > watch.after)) return Promise.resolve();
    return this.#watches.wait(watch, signal);
  }

  async close(): Promise<void> {
    this.#refusal ??= 'the store is closed';
    while (this.#committing !== null) await this.#committing;
    this.#watches.close();
    await this.#journal.close();
  }

  #encode(change: Change<S>): JournalChange {
    const { table, id, row } = change;
    if (row === null) return { table, id, row };
    return { table, id, row: this.#freeze ? deepFreeze(row as object) : row, json: rowText(row as object) };
  }

  #batchFor(bytes: number): Batch {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.sealed === null && last.bytes + bytes <= this.#journal.maxCommitBytes) return last;
    if (last !== undefined) last.sealed ??= this.#head.copy();
    const batch: Batch = { writes: [], changes: new Map(), notes: new Set(), bytes: 0, index: 0, sealed: null };
    this.#batches.push(batch);
    return batch;
  }

  /** What this write changes, for the watches: before it is applied, because rows leave index keys too. */
  #note(batch: Batch, changes: readonly Change<S>[]): void {
    for (const { table, id, row } of changes) {
      batch.notes.add(noteTable(table));
      batch.notes.add(noteRow(table, id));
      for (const one of [this.#head.get(table, id), row]) {
        if (one === undefined || one === null) continue;
        for (const [index, key] of this.#head.keysOf(table, one as object)) batch.notes.add(noteKey(table, index, key));
      }
    }
  }

  /** One commit after the other, until nothing waits. */
  async #commitAll(): Promise<void> {
    // Writes of the same turn share the first commit too.
    await (this.#gathers ? setImmediate() : Promise.resolve());
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      batch.sealed ??= this.#head.copy();
      try {
        await this.#journal.commit({
          expectedIndex: this.#published.index,
          epoch: this.#epoch,
          index: batch.index,
          changes: [...batch.changes.values()],
        });
      } catch (error) {
        this.#fail(error);
        continue;
      }
      this.#batches.shift();
      this.#publish(batch);
    }
    this.#committing = null;
  }

  #publish(batch: Batch): void {
    assert(batch.sealed instanceof MemoryTables, 'a committed batch is sealed');
    this.#published = batch.sealed as MemoryTables<S>;
    for (const write of batch.writes) write.resolve();
    if (!this.#watches.empty) this.#watches.wake(batch.notes);
  }

  #fail(error: unknown): void {
    const [failed, ...later] = this.#batches;
    this.#batches = [];
    this.#head = this.#published.copy();
    if (isFault(error, 'conflict')) this.#refusal = `the state has another writer now: ${error.message}`;
    const reason = new Fault('unavailable', this.#refusal ?? messageOf(error), { cause: error, recoverable: true });
    for (const write of failed?.writes ?? []) write.reject(reason);
    const lost = new Fault(
      'unavailable',
      `an earlier write that this one was built on could not be stored: ${reason.message}`,
      {
        cause: error,
        recoverable: true,
      },
    );
    for (const batch of later) for (const write of batch.writes) write.reject(lost);
  }
}

function deepFreeze<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part as object);
  return value;
}
