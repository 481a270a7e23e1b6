/**
 * ServerConnection to another agent over HTTP(S): the bodies of server-connection-wire. Each call tries the servers in turn, beginning
 * with the one that answered last; a call that was lost on the way is repeated by its caller (all calls may be).
 */

import {
  type Agent,
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Fault, type FaultKind, isFault, messageOf } from '../lib/fault.ts';
import { formatJson, parseNouns } from '../lib/json.ts';
import { isLoopback } from '../lib/node/loopback.ts';
import type { NodeCredentials, ServerConnection } from './server-connection.ts';
import {
  type HeartbeatAnswer,
  type JobAnswer,
  type JobBody,
  nodeWireHeaders,
  nodeWirePaths,
  type ReadAnswerBody,
  type ReadBody,
  type RegisterAnswer,
  type RegisterBody,
  type UpdateBody,
  type WatchAnswer,
  type WatchBody,
} from './server-connection-wire.ts';

export interface HttpServerConnectionOptions {
  /** `"10.0.0.1"`, `"10.0.0.1:4646"`, `"https://server.example:4646"`. */
  readonly servers: readonly string[];
  /** Needed until the servers know this node; `""`: none. */
  readonly joinToken: string;
  /** PEM texts; null: plain HTTP, which is refused off loopback. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | null;
  /** For each answer but a parked watch. Default: 10 s. */
  readonly timeoutMs?: number;
}

const watchTimeoutMs = 330_000;

/** Closing it ends idle connections; calls under way end by their own signals. */
export interface HttpServerConnection extends ServerConnection {
  /** The server that is asked first: the one that answered last. */
  current(): { readonly address: string; readonly secure: boolean };
  close(): void;
}

/** `Fault('invalid')` for an address that is none, `Fault('denied')` for plain HTTP to another machine. */
export function httpServerConnection(options: HttpServerConnectionOptions): HttpServerConnection {
  const wire = new Wire(options);
  const join = options.joinToken === '' ? {} : { [nodeWireHeaders.joinToken]: options.joinToken };
  return {
    async register(node, signal) {
      const who = { nodeId: node.ID, secretId: node.SecretID };
      const answer = await wire.call<RegisterBody, RegisterAnswer>('register', who, { Node: node }, signal, join);
      return { index: answer.Index, heartbeatTtlMs: answer.HeartbeatTtlMs };
    },
    async heartbeat(who, signal) {
      const answer = await wire.call<object, HeartbeatAnswer>('heartbeat', who, {}, signal);
      return { heartbeatTtlMs: answer.HeartbeatTtlMs };
    },
    async watchAllocations(who, index, signal) {
      const answer = await wire.call<WatchBody, WatchAnswer>('watch', who, { Index: index }, signal);
      return { index: answer.Index, allocations: answer.Allocations ?? {} };
    },
    async readAllocations(who, ids, signal) {
      const answer = await wire.call<ReadBody, ReadAnswerBody>('read', who, { IDs: ids }, signal);
      return answer.Allocations ?? [];
    },
    async updateAllocations(who, updates, signal) {
      await wire.call<UpdateBody, object>('update', who, { Updates: updates }, signal);
    },
    async readJob(who, namespace, id, version, signal) {
      const body = { Namespace: namespace, ID: id, Version: version };
      return (await wire.call<JobBody, JobAnswer>('job', who, body, signal)).Job;
    },
    current: () => wire.current(),
    close: () => wire.close(),
  };
}

class Wire {
  readonly #servers: readonly URL[];
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  readonly #timeoutMs: number;
  #first = 0;

  constructor(options: HttpServerConnectionOptions) {
    this.#servers = options.servers.map((server) => serverUrl(server, options.tls !== null));
    if (this.#servers.length === 0) throw new Fault('invalid', 'no servers are named');
    const tls = options.tls ?? { ca: '', cert: '', key: '' };
    const pem = Object.fromEntries(Object.entries(tls).filter(([, text]) => text !== ''));
    this.#agents = {
      http: new HttpAgent({ keepAlive: true }),
      https: new HttpsAgent({ keepAlive: true, ...pem }),
    };
    this.#timeoutMs = options.timeoutMs ?? 10_000;
  }

  async call<Body extends object, Answer>(
    name: keyof typeof nodeWirePaths,
    who: NodeCredentials,
    body: Body,
    signal: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const headers = { [nodeWireHeaders.nodeId]: who.nodeId, [nodeWireHeaders.secretId]: who.secretId, ...more };
    const text = formatJson(body);
    const timeoutMs = name === 'watch' ? watchTimeoutMs : this.#timeoutMs;
    let last: unknown;
    const first = this.#first;
    for (let attempt = 0; attempt < this.#servers.length; attempt++) {
      const at = (first + attempt) % this.#servers.length;
      try {
        const url = new URL(nodeWirePaths[name], this.#servers[at]);
        return (await this.#send(url, headers, text, timeoutMs, signal)) as Answer;
      } catch (error) {
        signal.throwIfAborted();
        // an answer is an answer; only a server that cannot be reached is passed over
        if (!isFault(error, 'unavailable')) throw error;
        last = error;
        // where others who asked at the same time did not pass it over yet
        if (this.#first === at) this.#first = (at + 1) % this.#servers.length;
      }
    }
    throw last;
  }

  #send(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const secure = url.protocol === 'https:';
      const agent: Agent = secure ? this.#agents.https : this.#agents.http;
      const fail = (error: unknown): void => reject(unreachable(url, error));
      const options = {
        method: 'PUT',
        agent,
        signal,
        headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      };
      const request: ClientRequest = (secure ? httpsRequest : httpRequest)(url, options, (response) => {
        readAnswer(response).then(resolve, (error: unknown) => (isFault(error) ? reject(error) : fail(error)));
      });
      request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      request.on('error', fail);
      request.end(body);
    });
  }

  current(): { readonly address: string; readonly secure: boolean } {
    const { host, port, protocol } = this.#servers[this.#first]!;
    const secure = protocol === 'https:';
    return { address: port === '' ? `${host}:${secure ? 443 : 80}` : host, secure };
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }
}

async function readAnswer(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return text === '' ? {} : parseNouns(text);
  throw new Fault(kindOf(status), text.trim() || `the server answered ${status}`, { status });
}

function kindOf(status: number): FaultKind {
  const kinds: Readonly<Record<number, FaultKind>> = {
    400: 'invalid',
    401: 'denied',
    403: 'denied',
    404: 'not_found',
    409: 'conflict',
    501: 'unsupported',
  };
  return kinds[status] ?? 'unavailable';
}

function unreachable(url: URL, error: unknown): Fault {
  return new Fault('unavailable', `server ${url.host}: ${messageOf(error)}`, { cause: error, recoverable: true });
}

function serverUrl(server: string, tls: boolean): URL {
  const withScheme = server.includes('://') ? server : `${tls ? 'https' : 'http'}://${server}`;
  let url: URL;
  try {
    url = new URL(withScheme);
  } catch (error) {
    throw new Fault('invalid', `"${server}" is no server address`, { cause: error });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Fault('invalid', `"${server}": use http or https`);
  if (url.port === '' && !server.includes('://')) url.port = '4646';
  // the node's secret and the join token go with every call
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new Fault('denied', `server ${url.host}: to another machine only with tls { http = true }`);
  }
  return url;
}
