import type { Allocation } from '../../model/allocation.ts';
import type { Node } from '../../model/node.ts';
import { isClientTerminal, isTerminal } from '../fit.ts';

export interface Classified {
  readonly untainted: readonly Allocation[];
  /** Told to go elsewhere: its node drains, or a user said so. */
  readonly migrate: readonly Allocation[];
  /** Its node is down or gone. */
  readonly lost: readonly Allocation[];
}

export function isNodeLost(node: Node | undefined): boolean {
  return node === undefined || node.Status === 'down' || node.Status === 'disconnected';
}

export function classify(allocations: readonly Allocation[], nodeOf: (id: string) => Node | undefined): Classified {
  const untainted: Allocation[] = [];
  const migrate: Allocation[] = [];
  const lost: Allocation[] = [];
  for (const allocation of allocations) {
    if (isTerminal(allocation)) untainted.push(allocation);
    else if (isNodeLost(nodeOf(allocation.NodeID))) lost.push(allocation);
    else if (allocation.DesiredTransition.Migrate) migrate.push(allocation);
    else untainted.push(allocation);
  }
  return { untainted, migrate, lost };
}

/** Told to stop, but its node is gone before it could say that it did: nobody will ever say so. */
export function isLostWhileStopping(allocation: Allocation, nodeOf: (id: string) => Node | undefined): boolean {
  return allocation.DesiredStatus !== 'run' && !isClientTerminal(allocation) && isNodeLost(nodeOf(allocation.NodeID));
}

/** Every task that ran to its end did well. */
export function ranSuccessfully(allocation: Allocation): boolean {
  if (allocation.ClientStatus === 'complete') return true;
  const states = Object.values(allocation.TaskStates ?? {});
  return states.length > 0 && states.every((state) => state.State === 'dead' && !state.Failed);
}

/**
 * Of those on healthy nodes: `counts` – it has its place in the group; `failed` – it may be tried again; `gone` – as if it had never been.
 * A batch allocation that did its work keeps its place, so that it is not done twice.
 */
export function standing(allocation: Allocation, isBatch: boolean): 'counts' | 'failed' | 'gone' {
  if (isBatch) {
    if (allocation.DesiredStatus === 'stop') return ranSuccessfully(allocation) ? 'counts' : 'gone';
    if (allocation.DesiredStatus !== 'run' || allocation.ClientStatus === 'lost') return 'gone';
    return allocation.ClientStatus === 'failed' || allocation.DesiredTransition.ForceReschedule ? 'failed' : 'counts';
  }
  if (
    allocation.DesiredStatus !== 'run' ||
    allocation.ClientStatus === 'complete' ||
    allocation.ClientStatus === 'lost'
  )
    return 'gone';
  return allocation.ClientStatus === 'failed' || allocation.DesiredTransition.ForceReschedule ? 'failed' : 'counts';
}
