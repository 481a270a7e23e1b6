import sortedBtree from 'sorted-btree';
import { assert } from '../lib/assert.ts';
import type { Scan, Schema, Snapshot, TableSpecs } from './store.ts';

// A CommonJS package: Node gives its exports as the default, bundlers and test runners give the class itself.
const BTree = sortedBtree.default ?? (sortedBtree as unknown as typeof sortedBtree.default);
type Tree = InstanceType<typeof BTree<string, object>>;

interface RowChange {
  readonly table: string;
  readonly id: string;
  readonly row: object | null;
}

interface Table {
  readonly rows: Tree;
  readonly indexes: readonly SecondaryIndex[];
  /** The index of the last commit that changed it. */
  changedAt: number;
}

interface SecondaryIndex {
  readonly name: string;
  readonly keysOf: (row: object) => readonly string[];
  /** `entryPrefix(key) + id` → row. */
  readonly entries: Tree;
}

/** The length first, so that no key is the beginning of another's entries. */
function entryPrefix(key: string): string {
  return `${key.length}:${key}\u0000`;
}

/**
 * The tables of one state: B-trees that share what did not change with the copies made of them.
 * A copy taken with `copy` never changes; only its maker applies changes to the original.
 */
export class MemoryTables<S extends Schema<S>> implements Snapshot<S> {
  readonly #tables: ReadonlyMap<string, Table>;
  #index: number;

  private constructor(tables: ReadonlyMap<string, Table>, index: number) {
    this.#tables = tables;
    this.#index = index;
  }

  static empty<S extends Schema<S>>(specs: TableSpecs<S>): MemoryTables<S> {
    const names = Object.keys(specs) as (keyof S & string)[];
    return new MemoryTables(new Map(names.map((name) => [name, emptyTable(specs[name].indexes ?? {})])), 0);
  }

  get index(): number {
    return this.#index;
  }

  /** O(number of tables), whatever their size. */
  copy(): MemoryTables<S> {
    return new MemoryTables(new Map([...this.#tables].map(([name, table]) => [name, copyTable(table)])), this.#index);
  }

  get<T extends keyof S & string>(table: T, id: string): S[T] | undefined {
    return this.#table(table).rows.get(id) as S[T] | undefined;
  }

  *scan<T extends keyof S & string>(table: T, scan: Scan = {}): Iterable<S[T]> {
    const { prefix = '', reverse = false } = scan;
    const { rows } = this.#table(table);
    if (!reverse) {
      const from = scan.from !== undefined && scan.from > prefix ? scan.from : prefix;
      for (const [id, row] of rows.entries(from, [])) {
        if (!id.startsWith(prefix)) return;
        yield row as S[T];
      }
      return;
    }
    for (const [id, row] of rows.entriesReversed(highest(prefix, scan.from), [])) {
      if (!id.startsWith(prefix)) {
        if (id < prefix) return;
        continue;
      }
      yield row as S[T];
    }
  }

  *by<T extends keyof S & string>(table: T, index: string, key: string): Iterable<S[T]> {
    const found = this.#table(table).indexes.find(({ name }) => name === index);
    assert(found !== undefined, `table ${table} has the index ${index}`);
    const prefix = entryPrefix(key);
    for (const [entry, row] of found.entries.entries(prefix, [])) {
      if (!entry.startsWith(prefix)) return;
      yield row as S[T];
    }
  }

  count(table: keyof S & string): number {
    return this.#table(table).rows.size;
  }

  tableIndex(table: keyof S & string): number {
    return this.#table(table).changedAt;
  }

  /** The keys that a row has in the table's secondary indexes. */
  *keysOf(table: keyof S & string, row: object): Iterable<readonly [index: string, key: string]> {
    for (const { name, keysOf } of this.#table(table).indexes) for (const key of keysOf(row)) yield [name, key];
  }

  /** Applies the changes of one write and moves to its index. */
  apply(changes: Iterable<RowChange>, index: number): void {
    for (const { table: name, id, row } of changes) {
      const table = this.#table(name);
      const before = table.rows.get(id);
      for (const { keysOf, entries } of table.indexes) {
        const keys = row === null ? [] : keysOf(row);
        for (const key of before === undefined ? [] : keysOf(before)) {
          if (!keys.includes(key)) entries.delete(entryPrefix(key) + id);
        }
        if (row !== null) for (const key of keys) entries.set(entryPrefix(key) + id, row);
      }
      if (row === null) table.rows.delete(id);
      else table.rows.set(id, row);
      table.changedAt = index;
    }
    this.#index = index;
  }

  /** As after a start: all rows at once. Which table changed when is not known any more, so each may have changed last. */
  restore(rows: Iterable<RowChange>, index: number): void {
    this.apply(rows, index);
    for (const table of this.#tables.values()) table.changedAt = index;
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    assert(table !== undefined, `there is a table ${name}`);
    return table;
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function newTree(): Tree {
  return new BTree<string, object>(undefined, compare);
}

function emptyTable(indexes: { readonly [index: string]: (row: never) => readonly string[] }): Table {
  return {
    rows: newTree(),
    indexes: Object.entries(indexes).map(([name, keysOf]) => ({
      name,
      keysOf: keysOf as (row: object) => readonly string[],
      entries: newTree(),
    })),
    changedAt: 0,
  };
}

function copyTable(table: Table): Table {
  return {
    rows: table.rows.clone(),
    indexes: table.indexes.map((index) => ({ ...index, entries: index.entries.clone() })),
    changedAt: table.changedAt,
  };
}

/** Where a descending scan begins: no id with the prefix comes after it. */
function highest(prefix: string, from: string | undefined): string | undefined {
  if (from !== undefined) return from;
  return prefix === '' ? undefined : `${prefix}\uffff\uffff`;
}
