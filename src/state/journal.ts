/**
 * Where writes become durable. LMDB serves it now, etcd later, an in-memory fake in tests; all pass one suite (journal-conformance).
 */
export interface JournalChange {
  readonly table: string;
  readonly id: string;
  /** The whole row, null: deleted. */
  readonly row: object | null;
  /** The row as `rowText` writes it, where whoever hands the row over has made that already. */
  readonly json?: string;
}

export interface JournalCommit {
  /** The index of the last commit this writer knows; another value in the journal: `Fault('conflict')`, nothing written. */
  readonly expectedIndex: number;
  /** The writer's epoch; an older one than the journal's: `Fault('conflict')`, nothing written. */
  readonly epoch: number;
  /** The index after this commit (> expectedIndex: several writes may be grouped into one commit). */
  readonly index: number;
  readonly changes: readonly JournalChange[];
}

/** What could not be read at start: set aside, never dropped silently. */
export interface Damage {
  readonly table: string;
  readonly id: string;
  readonly reason: string;
  /** Where the damaged bytes were put. */
  readonly keptAt: string;
}

export interface JournalContents {
  readonly index: number;
  readonly epoch: number;
  readonly rows: Iterable<JournalChange>;
  readonly damage: readonly Damage[];
}

export interface Journal {
  /** Everything there is, read once at start. Takes the writer's place: the epoch returned is this writer's. */
  load(): Promise<JournalContents>;
  /** Resolves with the index when durable. At most `maxCommitBytes`; more is `Fault('invalid')`. */
  commit(commit: JournalCommit): Promise<number>;
  readonly maxCommitBytes: number;
  close(): Promise<void>;
}
