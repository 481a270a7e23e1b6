import { messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { ServerStore, ServerTables } from '../state/server-tables.ts';
import { Draft } from './draft.ts';
import { keepJobStatus } from './job-status.ts';

/** What follows the writes of others: told of every committed write once it is published, in order. */
export interface CommitListener {
  committed(commit: Commit): void;
}

export interface Commit {
  readonly index: number;
  /** The rows of a table that the write put (or null: deleted), by id. */
  changed<T extends keyof ServerTables>(table: T): ReadonlyMap<string, ServerTables[T] | null>;
  /** The row before the write. */
  before<T extends keyof ServerTables>(table: T, id: string): ServerTables[T] | undefined;
}

/** Time, handed in: a simulation brings its own. */
export interface Clock {
  /** Unix nanoseconds. */
  now(): number;
  /** Milliseconds since some moment, never set back or forward by anybody: for what must not depend on the time of day. */
  elapsedMs(): number;
  /** Runs once after so many milliseconds; the function returned cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** What every part of the server stands on. */
export interface ServerContext {
  readonly store: ServerStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly region: string;
  newId(): string;
  /** 0 … 1. */
  random(): number;
  /** One write: `build` puts rows into the draft; job statuses and summaries follow by themselves. */
  write<R>(build: (draft: Draft) => R): Promise<{ readonly index: number; readonly result: R }>;
  listen(listener: CommitListener): void;
}

export interface ContextOptions {
  readonly store: ServerStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly region: string;
  readonly newId: () => string;
  readonly random: () => number;
}

export function serverContext(options: ContextOptions): ServerContext {
  const listeners: CommitListener[] = [];
  return {
    ...options,
    listen: (listener) => listeners.push(listener),
    write: async (build) => {
      const { index, result } = await options.store.write((head, at) => {
        const draft = new Draft(head, at, options.clock.now());
        const value = build(draft);
        keepJobStatus(draft);
        const { changes } = draft;
        // What listeners ask about the time before is looked up now: the head moves on.
        const before = changes.length === 0 ? null : beforeOf(draft);
        return { changes, result: { value, draft, before } };
      });
      if (result.before !== null) {
        const commit = { index, changed: result.draft.changed.bind(result.draft), before: result.before } as Commit;
        for (const listener of listeners) tell(listener, commit, options.log);
      }
      return { index, result: result.value };
    },
  };
}

/** A listener's mistake must not look like a failed write to whoever wrote. */
function tell(listener: CommitListener, commit: Commit, log: Log): void {
  try {
    listener.committed(commit);
  } catch (error) {
    log.error('a part of the server could not follow a write', { index: commit.index, reason: messageOf(error) });
  }
}

function beforeOf(draft: Draft): Commit['before'] {
  const tables = ['jobs', 'nodes', 'nodePools', 'allocations', 'evaluations', 'deployments'] as const;
  const rows = new Map<string, object | undefined>();
  for (const table of tables)
    for (const id of draft.changed(table).keys()) rows.set(`${table} ${id}`, draft.head.get(table, id));
  return (table, id) => rows.get(`${table} ${id}`) as never;
}
