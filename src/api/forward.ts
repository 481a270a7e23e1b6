/** Passing a request on to the agent that can answer it, bytes through as they come. */
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { Fault, messageOf } from '../lib/fault.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { ApiRequest } from './request.ts';
import type { LocalServices, Route } from './route.ts';

/**
 * On forwarded requests: `1` or `2` hops. A node passes on to a server, and that on to the node in question; who gets a request any later
 * answers it himself or says that he cannot.
 */
const forwardedHeader = 'x-drover-forwarded';

export interface Peer {
  /** `"10.0.0.5:4646"` */
  readonly address: string;
  readonly secure: boolean;
}

export interface OutgoingTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

/** Where a request is to be answered; null: here. Faults: `not_found` where no agent can. */
export function destination(
  route: Route,
  request: ApiRequest,
  services: LocalServices,
  serverPeer: () => Peer | null,
): Peer | null {
  const target = route.target ?? { kind: 'server' as const };
  const { store, client } = services;
  const hops = request.headers[forwardedHeader];
  const mayPass = hops === undefined || (hops === '1' && store !== null);
  if (target.kind === 'agent' || !mayPass) return null;
  if (target.kind === 'server') return store === null ? serverPeer() : null;
  if (target.kind === 'allocation') {
    const id = request.params[target.param] ?? '';
    if (id === '' || client?.hasAllocation(id)) return null;
    if (store === null) return serverPeer();
    const snapshot = store.snapshot();
    const allocation = snapshot.get('allocations', id);
    if (allocation === undefined) throw new Fault('not_found', `Unknown allocation ${JSON.stringify(id)}`);
    return allocation.NodeID === client?.node().ID ? null : nodePeer(snapshot, allocation.NodeID);
  }
  const nodeId = request.query.text('node_id');
  if (nodeId === '' || nodeId === client?.node().ID) return null;
  return store === null ? serverPeer() : nodePeer(store.snapshot(), nodeId);
}

function nodePeer(snapshot: ServerSnapshot, nodeId: string): Peer {
  const node = snapshot.get('nodes', nodeId);
  if (node === undefined) throw new Fault('not_found', `Unknown node ${nodeId}`);
  if (node.Status === 'down' || node.HTTPAddr === '') throw new Fault('not_found', 'No path to node');
  return { address: node.HTTPAddr, secure: node.TLSEnabled };
}

export class Forwarder {
  readonly #tls: OutgoingTls;
  readonly #agents = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) };

  constructor(tls: OutgoingTls) {
    this.#tls = tls;
  }

  /** Resolves when the answer was passed on whole, or one side is gone. */
  async forward(
    peer: Peer,
    incoming: http.IncomingMessage,
    response: http.ServerResponse,
    { body, signal }: ApiRequest,
  ): Promise<void> {
    const outgoing = this.#request(peer, incoming, { agent: this.#agents[peer.secure ? 'https' : 'http'] });
    // the caller is gone, or this agent stops
    signal.addEventListener('abort', () => outgoing.destroy(), { once: true });
    outgoing.end(body);
    const answer = await answered(outgoing, peer);
    response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
    response.flushHeaders();
    await new Promise<void>((resolve) => {
      answer.pipe(response);
      answer.once('error', () => response.destroy());
      response.once('close', resolve);
    });
  }

  /** The same for a request that wants to become a WebSocket. */
  upgrade(peer: Peer, incoming: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    const outgoing = this.#request(peer, incoming, {
      headers: { connection: 'Upgrade', upgrade: incoming.headers.upgrade ?? 'websocket' },
    });
    socket.once('close', () => outgoing.destroy());
    outgoing.once('upgrade', (answer, far, farHead) => {
      socket.write(rawHead(answer, `${answer.statusCode} ${answer.statusMessage}`));
      if (farHead.length > 0) socket.write(farHead);
      if (head.length > 0) far.write(head);
      far.pipe(socket).pipe(far);
      far.once('error', () => socket.destroy());
      far.once('close', () => socket.destroy());
      socket.once('close', () => far.destroy());
    });
    outgoing.once('response', (answer) => {
      socket.write(rawHead(answer, `${answer.statusCode} ${answer.statusMessage}`, { connection: 'close' }));
      answer.pipe(socket);
    });
    outgoing.once('error', () => socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nNo path to node'));
    outgoing.end();
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #request(peer: Peer, incoming: http.IncomingMessage, more: https.RequestOptions): http.ClientRequest {
    const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(peer.address) ?? [];
    const { serverName, ...tls } = this.#tls;
    return (peer.secure ? https : http).request({
      host,
      port,
      ...(peer.secure ? { ...tls, ...(serverName === undefined ? {} : { servername: serverName }) } : {}),
      method: incoming.method,
      path: incoming.url,
      ...more,
      headers: {
        ...endToEnd(incoming.headers),
        ...more.headers,
        host: isIP(host) === 0 ? 'localhost' : peer.address,
        [forwardedHeader]: incoming.headers[forwardedHeader] === undefined ? '1' : '2',
      },
    });
  }
}

async function answered(outgoing: http.ClientRequest, peer: Peer): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', (cause) =>
      reject(new Fault('not_found', 'No path to node', { cause: `${peer.address}: ${messageOf(cause)}` })),
    );
  });
}

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'origin',
  'host',
]);

function endToEnd(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));
}

function rawHead(answer: http.IncomingMessage, status: string, more: { readonly [name: string]: string } = {}): string {
  const lines: string[] = [];
  for (let index = 0; index < answer.rawHeaders.length; index += 2) {
    const name = answer.rawHeaders[index]!;
    if (!Object.hasOwn(more, name.toLowerCase())) lines.push(`${name}: ${answer.rawHeaders[index + 1]}`);
  }
  for (const [name, value] of Object.entries(more)) lines.push(`${name}: ${value}`);
  return `HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n`;
}
