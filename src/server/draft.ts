import { type ServerSnapshot, type ServerTables, serverTables } from '../state/server-tables.ts';
import type { Change } from '../state/store.ts';

export type ServerChange = Change<ServerTables>;
type TableName = keyof ServerTables;

/** The tables with their row types forgotten: here a table and its row always belong together. */
const specs = serverTables as unknown as {
  readonly [table in TableName]: {
    readonly id: (row: object) => string;
    readonly indexes?: { readonly [index: string]: (row: object) => readonly string[] };
  };
};

/**
 * One write while it is being made: the head with the changes made so far on top. Reading sees what was put; `changes` is what is written.
 */
export class Draft {
  readonly head: ServerSnapshot;
  /** The index this write will have. */
  readonly index: number;
  /** Unix nanoseconds: one instant for all of the write. */
  readonly now: number;
  readonly #rows = new Map<TableName, Map<string, object | null>>();

  constructor(head: ServerSnapshot, index: number, now: number) {
    this.head = head;
    this.index = index;
    this.now = now;
  }

  get<T extends TableName>(table: T, id: string): ServerTables[T] | undefined {
    const changed = this.#rows.get(table)?.get(id);
    return changed === undefined ? this.head.get(table, id) : ((changed ?? undefined) as ServerTables[T] | undefined);
  }

  *by<T extends TableName>(table: T, index: string, key: string): Iterable<ServerTables[T]> {
    const changed = this.#rows.get(table);
    if (changed === undefined) {
      yield* this.head.by(table, index, key);
      return;
    }
    const keysOf = specs[table].indexes?.[index];
    const rows = new Set<object>(changed.values() as Iterable<object>);
    for (const row of this.head.by(table, index, key)) if (!changed.has(specs[table].id(row))) yield row;
    for (const row of rows) if (row !== null && keysOf?.(row).includes(key)) yield row as ServerTables[T];
  }

  /** All rows, the changed ones last. */
  *scan<T extends TableName>(table: T): Iterable<ServerTables[T]> {
    const changed = this.changed(table);
    for (const row of this.head.scan(table)) if (!changed.has(specs[table].id(row))) yield row;
    for (const row of changed.values()) if (row !== null) yield row;
  }

  put<T extends TableName>(table: T, row: ServerTables[T]): void {
    this.#changed(table).set(specs[table].id(row), row);
  }

  delete(table: TableName, id: string): void {
    this.#changed(table).set(id, null);
  }

  /** The rows put or deleted so far, of one table. */
  changed<T extends TableName>(table: T): ReadonlyMap<string, ServerTables[T] | null> {
    return (this.#rows.get(table) ?? new Map()) as ReadonlyMap<string, ServerTables[T] | null>;
  }

  get changes(): readonly ServerChange[] {
    const all: ServerChange[] = [];
    for (const [table, rows] of this.#rows) {
      for (const [id, row] of rows) {
        if (row === null && this.head.get(table, id) === undefined) continue;
        all.push({ table, id, row } as ServerChange);
      }
    }
    return all;
  }

  #changed(table: TableName): Map<string, object | null> {
    const known = this.#rows.get(table);
    if (known !== undefined) return known;
    const rows = new Map<string, object | null>();
    this.#rows.set(table, rows);
    return rows;
  }
}
