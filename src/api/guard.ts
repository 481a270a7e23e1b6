/**
 * The door: who may connect and which browsers may ask. The API without access lists can run anything as the agent's user, so neither a web page
 * (by a cross-site request or by a name rebound to 127.0.0.1) nor a sandboxed task may reach it.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { Fault } from '../lib/fault.ts';

export interface GuardOptions {
  /** Names besides `localhost` and IP addresses by which this agent is called; `["*"]` turns the check off. */
  readonly allowedHosts: readonly string[];
  /** Origins of web pages that may use the API, e.g. `"https://ops.example"`; `["*"]` turns the check off. */
  readonly allowedOrigins: readonly string[];
  /** Connections of one address at a time; 0: no limit. Default 100. */
  readonly connectionsPerAddress: number;
  /**
   * Rejects with `Fault('denied')` a peer that may not connect, such as a task that is sandboxed. `overTcp`: its address may be undefined all the
   * same, once it has reset the connection, of which what it sent before is read and done.
   */
  readonly peerCheck: (socket: Socket, overTcp: boolean) => Promise<void>;
}

export const defaultGuard: GuardOptions = {
  allowedHosts: [],
  allowedOrigins: [],
  connectionsPerAddress: 100,
  peerCheck: async () => {},
};

/**
 * Unlike Nomad: a `Host` that is no name of this agent, and a page of another origin, are refused.
 * Programs other than browsers send neither a foreign `Host` nor an `Origin`. Faults: `denied`.
 */
export function checkBrowser(headers: IncomingHttpHeaders, overTcp: boolean, options: GuardOptions): void {
  const host = hostName(headers.host ?? '');
  if (overTcp && !isKnownHost(host, options))
    throw new Fault(
      'denied',
      `the host ${JSON.stringify(host)} is not a name of this agent; if it is one, add it to http_allowed_hosts`,
    );
  const { origin } = headers;
  if (options.allowedOrigins.includes('*')) return;
  if (origin !== undefined && !options.allowedOrigins.includes(origin) && !isSameOrigin(origin, headers.host ?? ''))
    throw new Fault(
      'denied',
      `pages of ${JSON.stringify(origin)} may not use this agent; if they should, add it to http_allowed_origins`,
    );
  const site = headers['sec-fetch-site'];
  if (origin === undefined && (site === 'cross-site' || site === 'same-site'))
    throw new Fault('denied', 'a page of another site may not use this agent');
}

function isKnownHost(host: string, { allowedHosts }: GuardOptions): boolean {
  if (host === '' || isIP(host) !== 0 || host === 'localhost' || host.endsWith('.localhost')) return true;
  return allowedHosts.some((name) => name === '*' || name.toLowerCase() === host);
}

/** `"[::1]:4646"` → `"::1"`. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).replace(/\.$/, '').toLowerCase();
}

function isSameOrigin(origin: string, host: string): boolean {
  return /^https?:\/\/(.+)$/.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
}

/** Lets connections in or not; asks `peerCheck` once for each. Closed where in doubt. */
export class Door {
  readonly #options: GuardOptions;
  readonly #perAddress = new Map<string, number>();
  readonly #verdicts = new WeakMap<Socket, Promise<Fault | null>>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** False: the connection was refused and answered. */
  enter(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const open = (this.#perAddress.get(address) ?? 0) + 1;
    const limit = this.#options.connectionsPerAddress;
    if (address !== '' && limit > 0 && open > limit) {
      socket.on('error', () => {});
      socket.end(tooMany);
      return false;
    }
    this.#perAddress.set(address, open);
    socket.once('close', () => {
      const left = (this.#perAddress.get(address) ?? 1) - 1;
      if (left > 0) this.#perAddress.set(address, left);
      else this.#perAddress.delete(address);
    });
    return true;
  }

  /** Begins the check of a connection's peer; over TLS it is the encrypted socket that requests come from. */
  examine(socket: Socket, overTcp: boolean): void {
    // asked at once: the peer may be gone by the time its first request is read
    const verdict = this.#options.peerCheck(socket, overTcp).then(
      () => null,
      (error: unknown) =>
        error instanceof Fault ? error : new Fault('denied', 'the peer of this connection could not be checked'),
    );
    this.#verdicts.set(socket, verdict);
  }

  /** Faults: `denied`, what `peerCheck` said; also where nobody examined the socket. */
  async checked(socket: Socket): Promise<void> {
    const verdict = this.#verdicts.get(socket);
    const fault = verdict === undefined ? new Fault('denied', 'this connection was never checked') : await verdict;
    if (fault !== null) throw fault;
  }
}

const tooMany =
  'HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n' +
  'Your IP is issuing too many concurrent connections, please rate limit your calls\n';
