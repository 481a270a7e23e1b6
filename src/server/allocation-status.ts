import type { Allocation } from '../model/allocation.ts';

/** The client says that it ended, or it is lost with its node: it takes up nothing. */
export function isClientTerminal(allocation: Allocation): boolean {
  return ['complete', 'failed', 'lost'].includes(allocation.ClientStatus);
}

/** It ended or is to end: nobody counts on it any more. */
export function isTerminal(allocation: Allocation): boolean {
  return allocation.DesiredStatus !== 'run' || isClientTerminal(allocation);
}
