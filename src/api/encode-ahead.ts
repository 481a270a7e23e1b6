/**
 * After a start nothing is encoded yet, and the longest list of all is the first that is asked for: its rows are encoded ahead, while
 * nothing else is to be done, as far as the cache has room. What changes later is encoded by the lists that show it.
 */
import { formatJson } from '../lib/json.ts';
import type { Allocation } from '../model/allocation.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import { gather, sortedByCreation } from './listing.ts';
import { QueryParameters } from './query-parameters.ts';
import { allocationForm, allocationStub } from './routes/allocations.ts';
import { type RowCache, SlabWriter } from './row-cache.ts';
import { Turn } from './turns.ts';

/** Half of a processor at the most: the start of tasks goes first. */
const restMs = 5;

export async function encodeAhead(snapshot: ServerSnapshot, cache: RowCache, signal: AbortSignal): Promise<void> {
  const request = { query: new QueryParameters('') };
  const form = allocationForm.kept(request);
  const stub = allocationStub(request, snapshot);
  const encode = (row: Allocation): string => formatJson(stub(row));
  const beyond = new SlabWriter(0);
  // in the order of the list: rows beside each other leave without a copy
  const rows = await sortedByCreation(await gather(snapshot.scan('allocations'), () => true));
  const turn = new Turn();
  for (const row of rows) {
    if (signal.aborted || !cache.hasRoom) return;
    cache.place(form, row, encode, beyond);
    if (!turn.isOver) continue;
    await new Promise((resolve) => setTimeout(resolve, restMs));
    await turn.next();
  }
}
