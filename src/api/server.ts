/**
 * The HTTP API of an agent: listeners, the door, routing; each request then is the runner's.
 */
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { totalmem } from 'node:os';
import type { Duplex } from 'node:stream';
import type { SecureVersion } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ClientNode } from '../client/client-node.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { listenerOf } from '../lib/node/socket-owner.ts';
import type { ServerCommands } from '../server/commands.ts';
import type { ServerStore } from '../state/server-tables.ts';
import { type Policy, permitAll } from './access.ts';
import type { AgentFacts } from './agent-facts.ts';
import { Channel } from './channel.ts';
import { encodeAhead } from './encode-ahead.ts';
import { errorAnswer } from './error-answer.ts';
import { destination, Forwarder, type OutgoingTls, type Peer } from './forward.ts';
import { checkBrowser, Door, defaultGuard, type GuardOptions } from './guard.ts';
import { readBody } from './read-body.ts';
import { type ApiRequest, cleanedPath, parseTarget, requestToken } from './request.ts';
import type { Route, SocketRoute } from './route.ts';
import { RouteRunner } from './route-runner.ts';
import { Router } from './router.ts';
import type { NodeGate } from './routes/internal-node.ts';
import { allRoutes, type JobParser } from './routes.ts';
import { createRowCache, type RowCache } from './row-cache.ts';

export interface ApiOptions {
  /** null: this agent is a client only; what needs the state goes to `serverPeer`. */
  readonly store: ServerStore | null;
  readonly commands?: ServerCommands;
  /** null: no node here. */
  readonly client: ClientNode | null;
  readonly agent: AgentFacts;
  /** Default: everybody may do everything. */
  readonly policy?: Policy;
  /** HCL → job, for the parse route. */
  readonly parseJob?: JobParser;
  /** Serves the nodes of other agents. Absent: they are refused. */
  readonly nodes?: NodeGate;
  /** A server for an agent that has none. */
  readonly serverPeer?: () => Peer | null;
  readonly outgoingTls?: OutgoingTls;
  readonly guard?: Partial<GuardOptions>;
  /** Sent with every answer. */
  readonly responseHeaders?: { readonly [name: string]: string };
  /** Default 32 MiB. */
  readonly maximumBodyBytes?: number;
  /** Memory for encoded list rows. Default 512 MiB, but no more than an eighth of the machine's. */
  readonly rowCacheBytes?: number;
  readonly log?: Log;
}

export interface ListenAddress {
  /** An address of this host, or a socket's path. */
  readonly host?: string;
  /** 0: any free one. */
  readonly port?: number;
  readonly path?: string;
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    readonly ca?: string;
    readonly verifyClients?: boolean;
    /** The oldest version that is spoken; default: Node's, TLS 1.2. */
    readonly minVersion?: SecureVersion;
  };
}

export interface Api {
  /** Resolves with the addresses bound, `"127.0.0.1:4646"`. Faults: `unavailable` for a port that is taken, naming it. */
  listen(addresses: readonly ListenAddress[]): Promise<readonly string[]>;
  /** Answers parked queries at once, ends streams, closes everything. */
  close(): Promise<void>;
}

/** Made once: an abort without a reason makes a new error with its stack each time. */
const callerGone = new Fault('unavailable', 'the caller is gone');

/** Nothing listens until `listen` is called. */
export function createApi(options: ApiOptions): Api {
  return new HttpApi(options);
}

class HttpApi implements Api {
  readonly #options: ApiOptions;
  readonly #guard: GuardOptions;
  readonly #door: Door;
  readonly #router: Router;
  readonly #runner: RouteRunner;
  readonly #forwarder: Forwarder;
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });
  readonly #servers: http.Server[] = [];
  readonly #open = new Set<AbortController>();
  readonly #rowCache: RowCache;
  readonly #closing = new AbortController();

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#guard = { ...defaultGuard, ...options.guard };
    this.#door = new Door(this.#guard);
    this.#router = new Router(allRoutes(options));
    const { store, commands, client, agent, log } = options;
    this.#rowCache = createRowCache(options.rowCacheBytes ?? Math.min(512 * 1024 * 1024, totalmem() / 8));
    this.#runner = new RouteRunner({
      policy: options.policy ?? permitAll,
      services: { store, client, agent, ...(commands === undefined ? {} : { commands }) },
      rowCache: this.#rowCache,
      ...(log === undefined ? {} : { log }),
    });
    this.#forwarder = new Forwarder(options.outgoingTls ?? {});
  }

  async listen(addresses: readonly ListenAddress[]): Promise<readonly string[]> {
    const bound: string[] = [];
    for (const address of addresses) bound.push(await this.#listenOn(address));
    const { store } = this.#options;
    if (store !== null) void encodeAhead(store.snapshot(), this.#rowCache, this.#closing.signal);
    return bound;
  }

  async #listenOn(address: ListenAddress): Promise<string> {
    const { tls } = address;
    // slow senders: the head within 10 s, the whole request within 5 minutes
    const limits = { headersTimeout: 10_000, requestTimeout: 300_000, keepAliveTimeout: 75_000, noDelay: true };
    const server =
      tls === undefined
        ? http.createServer(limits)
        : https.createServer({
            ...limits,
            ...tls,
            requestCert: tls.verifyClients === true,
            rejectUnauthorized: tls.verifyClients === true,
          });
    server.on('connection', (socket: Socket) => {
      if (this.#door.enter(socket) && tls === undefined) this.#door.examine(socket, address.path === undefined);
    });
    server.on('secureConnection', (socket: Socket) => this.#door.examine(socket, address.path === undefined));
    server.on('request', (request, response) => void this.#handle(request, response));
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
      else socket.destroy();
    });
    const where =
      address.path === undefined
        ? { host: address.host ?? '127.0.0.1', port: address.port ?? 4646 }
        : { path: address.path };
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => void cannotListen(address, cause).then(reject));
      server.listen(where, resolve);
    });
    this.#servers.push(server);
    const listening = server.address() as AddressInfo | string;
    if (typeof listening === 'string') return listening;
    return listening.family === 'IPv6'
      ? `[${listening.address}]:${listening.port}`
      : `${listening.address}:${listening.port}`;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const each of this.#open) each.abort(callerGone);
    for (const socket of this.#webSockets.clients) socket.close(1001, 'the agent stops');
    this.#forwarder.close();
    // what was parked has a moment to be answered; connections go as they fall idle
    const sweep = setInterval(() => {
      for (const server of this.#servers) server.closeIdleConnections();
    }, 10);
    const timer = setTimeout(() => {
      for (const socket of this.#webSockets.clients) socket.terminate();
      for (const server of this.#servers) server.closeAllConnections();
    }, 500);
    await Promise.all(closed);
    clearInterval(sweep);
    clearTimeout(timer);
  }

  async #handle(incoming: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const gone = new AbortController();
    this.#open.add(gone);
    response.once('close', () => {
      gone.abort(callerGone);
      this.#open.delete(gone);
    });
    const channel = new Channel(incoming, response, gone.signal);
    Object.assign(channel.headers, this.#options.responseHeaders);
    const target = incoming.url ?? '/';
    try {
      await this.#door.checked(incoming.socket);
      checkBrowser(incoming.headers, incoming.socket.remoteAddress !== undefined, this.#guard);
      this.#allowOrigin(incoming, channel);
      const found = await this.#find(incoming, channel);
      if (found === null) return;
      const limit = this.#options.maximumBodyBytes ?? 32 * 1024 * 1024;
      const request = await this.#request(incoming, found.params, await readBody(incoming, limit), gone.signal);
      this.#runner.authorise(found.route, request);
      const peer = this.#destination(found.route, request);
      if (peer === null) return await this.#runner.run(found.route, request, channel);
      await this.#forwarder.forward(peer, incoming, response, request);
    } catch (error) {
      await this.#runner.fail(error, target, channel);
    }
  }

  /** The route, or null where the answer was given already. */
  async #find(
    incoming: http.IncomingMessage,
    channel: Channel,
  ): Promise<{ readonly route: Route; readonly params: { readonly [name: string]: string } } | null> {
    const target = incoming.url ?? '/';
    const method = incoming.method ?? 'GET';
    const clean = cleanedPath(target) ?? (/^\/(\?|$)/.test(target) ? `/ui/${target.slice(1)}` : undefined);
    if (clean !== undefined) {
      channel.headers['location'] = clean;
      const link = method === 'GET' ? `<a href="${escapeHtml(clean)}">Temporary Redirect</a>.\n\n` : '';
      await channel.send(307, 'text/html; charset=utf-8', link);
      return null;
    }
    const match = this.#router.find(method, parseTarget(target).path);
    if (match.kind === 'route') return match;
    if (match.kind === 'method') await channel.send(405, 'text/plain; charset=utf-8', 'Invalid method');
    else await channel.send(404, undefined, '');
    return null;
  }

  async #request(
    incoming: http.IncomingMessage,
    params: { readonly [name: string]: string },
    body: Buffer,
    signal: AbortSignal,
  ): Promise<ApiRequest> {
    const target = incoming.url ?? '/';
    const { query } = parseTarget(target);
    const caller = await (this.#options.policy ?? permitAll).caller(requestToken(incoming.headers));
    return {
      method: incoming.method ?? 'GET',
      target,
      params,
      query,
      headers: incoming.headers,
      namespace: query.text('namespace') || 'default',
      caller,
      isPrivate: isPrivate(incoming.socket),
      body,
      signal,
    };
  }

  #destination(route: Route, request: ApiRequest): Peer | null {
    return destination(route, request, this.#options, this.#options.serverPeer ?? (() => null));
  }

  /** A page that was let in may read the answer. */
  #allowOrigin(incoming: http.IncomingMessage, channel: Channel): void {
    const { origin } = incoming.headers;
    if (origin === undefined) return;
    channel.headers['access-control-allow-origin'] = this.#guard.allowedOrigins.includes('*') ? '*' : origin;
    channel.headers['vary'] = 'Accept-Encoding, Origin';
  }

  async #upgrade(incoming: http.IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController();
    this.#open.add(gone);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      gone.abort(callerGone);
      this.#open.delete(gone);
    });
    try {
      await this.#door.checked(incoming.socket);
      checkBrowser(incoming.headers, incoming.socket.remoteAddress !== undefined, this.#guard);
      const match = this.#router.find(incoming.method ?? 'GET', parseTarget(incoming.url ?? '/').path);
      if (match.kind !== 'route' || !('socket' in match.route))
        throw new Fault('not_found', 'no WebSocket is served here');
      const { route } = match;
      const request = await this.#request(incoming, match.params, Buffer.alloc(0), gone.signal);
      this.#runner.authorise(route, request);
      const open = () =>
        this.#webSockets.handleUpgrade(
          incoming,
          socket,
          head,
          (webSocket) => void this.#session(route, request, webSocket),
        );
      const peer = this.#tryDestination(route, request);
      if (peer instanceof Fault || peer === null) return open();
      // ours to end: an upgraded socket is no longer the listener's
      gone.signal.addEventListener('abort', () => socket.destroy());
      this.#forwarder.upgrade(peer, incoming, socket, head);
    } catch (error) {
      const { status, text } = errorAnswer(error);
      socket.end(
        `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${text}`,
      );
    }
  }

  /** What is wrong with the destination is said over the WebSocket, as the reference does. */
  #tryDestination(route: Route, request: ApiRequest): Peer | Fault | null {
    try {
      return this.#destination(route, request);
    } catch (error) {
      if (error instanceof Fault) return error;
      throw error;
    }
  }

  async #session(route: SocketRoute, request: ApiRequest, socket: WebSocket): Promise<void> {
    try {
      await route.socket(request, socket, this.#options);
      await leftAlone(socket);
    } catch (error) {
      const { text, internal } = errorAnswer(error);
      if (internal)
        this.#options.log?.error('session failed', { error: error instanceof Error ? error.stack : String(error) });
      // what is not there, or does not run
      const absent = error instanceof Fault && (error.kind === 'not_found' || error.kind === 'conflict');
      socket.close(absent ? 1008 : 1011, Buffer.from(text).subarray(0, 120).toString());
    }
  }
}

/** All was said: whoever does not close within a second is cut without a word, as the reference does at once. */
async function leftAlone(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => socket.terminate(), 1000);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function isPrivate(socket: Socket): boolean {
  const address = socket.remoteAddress;
  return 'encrypted' in socket || address === undefined || /^(::ffff:)?127\.|^::1$/.test(address);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Names who has the port, where that can be known. */
async function cannotListen(address: ListenAddress, cause: NodeJS.ErrnoException): Promise<Fault> {
  const port = address.port ?? 4646;
  const name = address.path ?? `${address.host ?? '127.0.0.1'}:${port}`;
  const taken = cause.code === 'EADDRINUSE' && address.path === undefined;
  const holder = taken ? await listenerOf(port).catch(() => undefined) : undefined;
  const by = holder === undefined ? '' : ` (by ${holder.command}, pid ${holder.pid})`;
  const remedy = taken ? '; end what has it, or give this agent another port: -http-port, ports { http = … }' : '';
  return new Fault('unavailable', `cannot listen on ${name}: ${messageOf(cause)}${by}${remedy}`, { cause });
}
