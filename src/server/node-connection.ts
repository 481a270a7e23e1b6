/** What a server asks of a node by itself: in process of its own agent's, over HTTP(S) of others'. */
import { createHmac } from 'node:crypto';
import type { Node } from '../model/node.ts';
import type { RehearsalAnswer, RehearsalAsk } from '../model/rehearsal.ts';

export interface NodeConnection {
  /** Why the node would refuse the starts of a job's tasks. Faults: it cannot be asked. */
  rehearse(node: Node, ask: RehearsalAsk, signal: AbortSignal): Promise<RehearsalAnswer>;
}

/** A PUT with a `RehearsalAsk` as JSON, answered by a `RehearsalAnswer`. */
export const rehearsalPath = '/v1/internal/client/rehearse';

/** The header by which a server shows that it knows the node: `proofOf` the body. The node's secret itself is never sent. */
export const proofHeader = 'x-drover-server-proof';

/** `secret`: the node's own, which its servers know. */
export function proofOf(secret: string, body: string | Uint8Array): string {
  return createHmac('sha256', secret).update(`${rehearsalPath}\n`).update(body).digest('hex');
}
