import type { ClientNode } from '../../client/client-node.ts';
import { Fault } from '../../lib/fault.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import type { ApiRequest } from '../request.ts';
import type { LocalServices } from '../route.ts';

/** The allocation that a path parameter names: for the check before a route runs. */
export function findAllocationOf(param: string) {
  return (snapshot: ServerSnapshot, { params }: ApiRequest) => snapshot.get('allocations', params[param] ?? '');
}

/** Faults: `not_found` on an agent without a node. */
export function nodeOf({ client }: LocalServices): ClientNode {
  if (client === null) throw new Fault('not_found', 'No path to node');
  return client;
}
