import type { ServerSnapshot, ServerStore, ServerTables } from '../state/server-tables.ts';
import type { WatchedRows } from '../state/store.ts';
import type { BlockingOptions } from './query-parameters.ts';
import { nextTurn } from './turns.ts';

/**
 * Reads, and while the answer's index is not greater than the one the caller knows, waits for a change and reads again;
 * after the wait (plus up to a sixteenth, so that callers do not come back all at once) the present answer is given.
 */
export async function readWhenNew<T extends { readonly index: number }>(
  store: ServerStore,
  watched: { readonly tables: readonly (keyof ServerTables)[]; readonly rows?: readonly WatchedRows<ServerTables>[] },
  { index, waitMs }: BlockingOptions,
  signal: AbortSignal,
  read: (snapshot: ServerSnapshot) => T,
): Promise<{ readonly answer: T; readonly snapshot: ServerSnapshot }> {
  let snapshot = store.snapshot();
  let answer = read(snapshot);
  if (index === 0 || answer.index > index) return { answer, snapshot };
  const waiting = new AbortController();
  const stop = () => waiting.abort();
  const timer = setTimeout(stop, waitMs * (1 + Math.random() / 16));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    while (answer.index <= index && !waiting.signal.aborted) {
      await store.changed({ after: snapshot.index, ...watched }, waiting.signal).catch((error: unknown) => {
        if (!waiting.signal.aborted) throw error;
      });
      // thousands may wake of one write
      await nextTurn();
      snapshot = store.snapshot();
      answer = read(snapshot);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
  return { answer, snapshot };
}

/** The index of an answer made of whole tables. */
export function tablesIndex(snapshot: ServerSnapshot, tables: readonly (keyof ServerTables)[]): number {
  return Math.max(0, ...tables.map((table) => snapshot.tableIndex(table)));
}
