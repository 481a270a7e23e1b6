/** Learns from the servers what this node should run. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isFault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import type { Allocation } from '../model/allocation.ts';
import type { AllocationWatch, NodeCredentials, ServerConnection } from './server-connection.ts';

export interface AllocationChanges {
  /** New or changed on the servers. */
  readonly rows: readonly Allocation[];
  /** Known here, unknown to the servers. */
  readonly gone: readonly string[];
}

export interface AllocationSyncOptions {
  readonly server: ServerConnection;
  readonly who: NodeCredentials;
  /** Allocation id → AllocModifyIndex as known here. */
  known(): ReadonlyMap<string, number>;
  apply(changes: AllocationChanges): Promise<void>;
  readonly log: Log;
}

/** Which rows to read and which allocations are gone. */
export function compare(
  watch: AllocationWatch,
  known: ReadonlyMap<string, number>,
): { readonly read: string[]; readonly gone: string[] } {
  const ids = Object.entries(watch.allocations);
  return {
    read: ids.filter(([id, index]) => index > (known.get(id) ?? -1)).map(([id]) => id),
    gone: [...known.keys()].filter((id) => !Object.hasOwn(watch.allocations, id)),
  };
}

/** An older answer than one already seen is late, and ignored; only when it stays that way have the servers really gone back. */
const believedAfter = 5;

/** Runs until the signal fires. */
export async function syncAllocations(options: AllocationSyncOptions, signal: AbortSignal): Promise<void> {
  let index = 0;
  let failures = 0;
  let late = 0;
  while (!signal.aborted) {
    try {
      const watch = await options.server.watchAllocations(options.who, late > 0 ? 0 : index, signal);
      if (watch.index < index && ++late < believedAfter) {
        options.log.warn('the servers answered with an older state; asking again', { index, answered: watch.index });
        await sleep(1_000, undefined, { signal });
        continue;
      }
      late = 0;
      const { read, gone } = compare(watch, options.known());
      const rows = read.length === 0 ? [] : await options.server.readAllocations(options.who, read, signal);
      await options.apply({ rows, gone });
      index = watch.index;
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      // at its first start the node asks while it is being registered
      const level = isFault(error, 'not_found') && failures < 3 ? 'debug' : 'warn';
      options.log[level]('the allocations of this node could not be learnt', { error: messageOf(error) });
      await sleep(Math.min(15_000, 200 * 2 ** failures++), undefined, { signal }).catch(() => undefined);
    }
  }
}
