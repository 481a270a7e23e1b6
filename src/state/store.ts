/**
 * What the rest of the program sees of state: immutable snapshots, one serialised writer, and watches.
 *
 *   write(fn) → fn sees the head (also what is not yet durable) → changes queued → one journal commit takes all that waited
 *             → durable → the new snapshot is published → watches wake → the promise resolves
 *
 * A row is frozen JSON, whole; nothing is ever changed in place.
 */

/** Table name → row type. */
export type Schema<S> = { readonly [table in keyof S]: object };

export type Change<S extends Schema<S>> = {
  [T in keyof S & string]: { readonly table: T; readonly id: string; readonly row: S[T] | null };
}[keyof S & string];

export interface Scan {
  /** Only ids that start with it. */
  readonly prefix?: string;
  /** Begin at this id (inclusive; with `reverse` going down from it). */
  readonly from?: string;
  readonly reverse?: boolean;
}

/** A consistent view of all tables at one index; taking one costs O(1). */
export interface Snapshot<S extends Schema<S>> {
  /** The index of the last commit in this view. */
  readonly index: number;
  get<T extends keyof S & string>(table: T, id: string): S[T] | undefined;
  /** Rows in the order of their ids. */
  scan<T extends keyof S & string>(table: T, scan?: Scan): Iterable<S[T]>;
  /** Rows whose declared secondary index has this key, in the order of their ids. */
  by<T extends keyof S & string>(table: T, index: string, key: string): Iterable<S[T]>;
  count(table: keyof S & string): number;
  /** The index of the last commit that changed the table; 0: never. */
  tableIndex(table: keyof S & string): number;
}

export interface Store<S extends Schema<S>> {
  snapshot(): Snapshot<S>;
  /**
   * One atomic write. `build` is called once, with the head and the index this write will have; it returns the changes and a result.
   * No change: nothing is committed and `index` is the head's. Resolves when durable and published.
   * `head` is the writer's own working view: read it inside `build` only.
   * Faults: whatever `build` throws (nothing is written); `invalid` where the write alone is more than the journal takes in one commit;
   * `unavailable` where the journal cannot take it (disk full, fenced), or where an earlier write that this one was built on was lost so:
   * nothing of it is kept, the caller may try again.
   */
  write<R>(
    build: (head: Snapshot<S>, index: number) => { readonly changes: readonly Change<S>[]; readonly result: R },
  ): Promise<{
    readonly index: number;
    readonly result: R;
  }>;
  /**
   * Resolves once a published snapshot changed one of the tables after `after` (at once where it has already), narrowed to the rows
   * of `rows`; or when the signal fires, or the store closes. May wake without need: read again and look.
   */
  changed(watch: Watch<S>, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface Watch<S extends Schema<S>> {
  /** The index of the snapshot that was looked at. */
  readonly after: number;
  readonly tables: readonly (keyof S & string)[];
  /** Wake for these rows only (thousands of waiters: each change wakes the few it concerns); every table named here stands in `tables` too. */
  readonly rows?: readonly WatchedRows<S>[];
}

/** One row by its id, or all rows that have the key in a secondary index, before or after the change. */
export type WatchedRows<S extends Schema<S>> =
  | { readonly table: keyof S & string; readonly id: string }
  | { readonly table: keyof S & string; readonly index: string; readonly key: string };

/** How a table is kept: what a row's id is, and its secondary indexes, each a function from a row to its keys. */
export type TableSpecs<S extends Schema<S>> = {
  readonly [T in keyof S & string]: {
    /** The id a row stands under, for those who write it; the store itself goes by the ids it is given. */
    readonly id?: (row: S[T]) => string;
    readonly indexes?: { readonly [index: string]: (row: S[T]) => readonly string[] };
  };
};
