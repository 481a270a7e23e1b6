/** How the server half asks nodes: its own agent's in process, all others over HTTP(S). */
import type { ClientNode } from '../client/client-node.ts';
import { httpNodeConnection, type NodeTls } from '../server/http-node-connection.ts';
import type { NodeConnection } from '../server/node-connection.ts';

/** `own`: the client half, once it is there. */
export function nodeConnection(own: () => ClientNode | null, tls: NodeTls): NodeConnection {
  const others = httpNodeConnection(tls);
  return {
    rehearse: (node, ask, signal) => {
      const client = own();
      return client?.node().ID === node.ID ? client.rehearse(ask, signal) : others.rehearse(node, ask, signal);
    },
  };
}
