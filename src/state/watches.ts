import type { Schema, Watch, WatchedRows } from './store.ts';

/** What a publication changed: `noteTable`, `noteRow`, `noteKey` of everything. */
export type Notes = ReadonlySet<string>;

export const noteTable = (table: string): string => table;
export const noteRow = (table: string, id: string): string => `${table}\u0000row\u0000${id}`;
export const noteKey = (table: string, index: string, key: string): string =>
  `${table}\u0000key\u0000${index}\u0000${key}`;

interface Waiter {
  readonly notes: readonly string[];
  readonly wake: () => void;
}

/**
 * Who waits for what. A change costs one look-up per note, whatever the number of waiters; a waiter costs one entry per note it waits for.
 */
export class Watches {
  readonly #waiters = new Map<string, Set<Waiter>>();
  #closed = false;

  get empty(): boolean {
    return this.#waiters.size === 0;
  }

  wait<S extends Schema<S>>(watch: Watch<S>, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter: Waiter = {
        notes: notesOf(watch),
        wake: () => {
          signal.removeEventListener('abort', waiter.wake);
          this.#remove(waiter);
          resolve();
        },
      };
      for (const note of waiter.notes) this.#waitersFor(note).add(waiter);
      signal.addEventListener('abort', waiter.wake, { once: true });
    });
  }

  wake(notes: Notes): void {
    for (const note of notes) for (const waiter of [...(this.#waiters.get(note) ?? [])]) waiter.wake();
  }

  close(): void {
    this.#closed = true;
    for (const waiters of [...this.#waiters.values()]) for (const waiter of [...waiters]) waiter.wake();
  }

  #waitersFor(note: string): Set<Waiter> {
    const known = this.#waiters.get(note);
    if (known !== undefined) return known;
    const waiters = new Set<Waiter>();
    this.#waiters.set(note, waiters);
    return waiters;
  }

  #remove(waiter: Waiter): void {
    for (const note of waiter.notes) {
      const waiters = this.#waiters.get(note);
      waiters?.delete(waiter);
      if (waiters?.size === 0) this.#waiters.delete(note);
    }
  }
}

function notesOf<S extends Schema<S>>(watch: Watch<S>): readonly string[] {
  const rows = watch.rows ?? [];
  const narrowed = new Set(rows.map((row) => row.table));
  return [...watch.tables.filter((table) => !narrowed.has(table)).map(noteTable), ...rows.map(noteOf)];
}

function noteOf<S extends Schema<S>>(rows: WatchedRows<S>): string {
  return 'id' in rows ? noteRow(rows.table, rows.id) : noteKey(rows.table, rows.index, rows.key);
}
