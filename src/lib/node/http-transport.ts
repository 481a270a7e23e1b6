/** The API client's transport over node:http(s): TCP, TLS or a unix socket, kept connections, gzip. */
import * as http from 'node:http';
import * as https from 'node:https';
import { pipeline } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import { collectText } from '../../api-client/byte-stream.ts';
import { ResponseError } from '../../api-client/response-error.ts';
import type { Transport, TransportRequest, TransportResponse, TransportSocket } from '../../api-client/transport.ts';
import { Fault, messageOf } from '../fault.ts';

export interface HttpTransportOptions {
  /** `"http://127.0.0.1:4646"`, `"https://…"`, `"unix:///run/drover.sock"`. A path is put before every request's own. */
  readonly address: string;
  readonly tls?: {
    /** PEM; default: the system's. */
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    /** The name the certificate must carry. Default: the address's host. */
    readonly serverName?: string;
    readonly skipVerify?: boolean;
  };
  /** Until a connection stands. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Longest silence of the other side; default: none (blocking queries wait long). */
  readonly idleTimeoutMs?: number;
}

interface Target {
  readonly secure: boolean;
  readonly basePath: string;
  readonly request: https.RequestOptions;
}

/** Faults: `invalid` for an address it cannot read. */
export function httpTransport(options: HttpTransportOptions): Transport {
  const target = targetOf(options);
  const agent = new (target.secure ? https : http).Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  return {
    request: (request) => send(target, agent, options, request),
    webSocket: (request) => openSocket(target, options, request),
    close: () => agent.destroy(),
  };
}

function targetOf({ address, tls }: HttpTransportOptions): Target {
  const unix = /^unix:(?:\/\/)?(\/.+)$/.exec(address);
  if (unix !== null) return { secure: false, basePath: '', request: { socketPath: unix[1]!, host: 'localhost' } };
  let url: URL;
  try {
    url = new URL(/^[a-z]+:\/\//i.test(address) ? address : `http://${address}`);
  } catch (cause) {
    throw new Fault('invalid', `"${address}" is not an address; give one like http://127.0.0.1:4646`, { cause });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Fault('invalid', `"${address}": the scheme must be http, https or unix`);
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const request: https.RequestOptions = { host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port) };
  if (secure) {
    request.ca = tls?.ca;
    request.cert = tls?.cert;
    request.key = tls?.key;
    request.rejectUnauthorized = tls?.skipVerify !== true;
    if (tls?.serverName !== undefined) request.servername = tls.serverName;
  }
  return { secure, basePath: url.pathname.replace(/\/$/, ''), request };
}

function send(
  target: Target,
  agent: http.Agent,
  options: HttpTransportOptions,
  { method, path, headers, body, signal }: TransportRequest,
): Promise<TransportResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = (target.secure ? https : http).request({
      ...target.request,
      agent,
      method,
      path: target.basePath + path,
      headers: {
        'accept-encoding': 'gzip',
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
      ...(signal === undefined ? {} : { signal }),
    });
    limitWaiting(outgoing, options);
    outgoing.on('error', (error) => reject(unreachable(options.address, error, signal)));
    outgoing.on('response', (incoming) =>
      resolve(responseOf(incoming, outgoing, (error) => unreachable(options.address, error, signal))),
    );
    outgoing.end(body);
  });
}

function limitWaiting(
  outgoing: http.ClientRequest,
  { connectTimeoutMs = 10_000, idleTimeoutMs }: HttpTransportOptions,
) {
  outgoing.on('socket', (socket) => {
    if (idleTimeoutMs !== undefined)
      outgoing.setTimeout(idleTimeoutMs, () => outgoing.destroy(new Error(`no data for ${idleTimeoutMs} ms`)));
    if (!socket.connecting) return;
    const timer = setTimeout(
      () => outgoing.destroy(new Error(`no connection after ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer));
  });
}

function responseOf(
  incoming: http.IncomingMessage,
  outgoing: http.ClientRequest,
  failed: (error: unknown) => unknown,
): TransportResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return {
    status: incoming.statusCode ?? 0,
    headers,
    body: withFaults(decompressed(incoming, headers['content-encoding']), failed),
    dispose: () => void (incoming.complete || outgoing.destroy()),
  };
}

/** A connection that breaks in the middle of an answer is as much a fault as one that never came to be. */
async function* withFaults(
  body: AsyncIterable<Uint8Array>,
  failed: (error: unknown) => unknown,
): AsyncIterable<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw failed(error);
  }
}

function decompressed(incoming: http.IncomingMessage, encoding: string | undefined): AsyncIterable<Uint8Array> {
  if (encoding !== 'gzip' && encoding !== 'deflate') return incoming;
  // Flushed at every chunk: a followed log is compressed as it grows.
  const inflate = encoding === 'gzip' ? createGunzip() : createInflate();
  return pipeline(incoming, inflate, () => {});
}

function unreachable(address: string, error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return error;
  return new Fault('unavailable', `${address} does not answer: ${reasonOf(error)}`, {
    cause: error,
    recoverable: true,
  });
}

/** What the libraries below say of it is for those who wrote them. */
function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EPROTO' && /wrong version number/.test(messageOf(error)))
    return 'it speaks plain HTTP, not TLS: write http://';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `no host of this name is found (${messageOf(error)})`;
  return messageOf(error).trimEnd();
}

async function openSocket(
  target: Target,
  options: HttpTransportOptions,
  { path, headers, signal }: Pick<TransportRequest, 'path' | 'headers' | 'signal'>,
): Promise<TransportSocket> {
  const { WebSocket } = await import('ws');
  const { socketPath, host, port, ...tls } = target.request;
  const origin =
    socketPath == null ? `${target.secure ? 'wss' : 'ws'}://${hostText(host!)}:${port}` : `ws+unix://${socketPath}:`;
  const socket = new WebSocket(origin + target.basePath + path, {
    headers,
    handshakeTimeout: options.connectTimeoutMs ?? 10_000,
    ...tls,
  });
  const incoming = new MessageQueue();
  socket.on('message', (data, isBinary) => {
    if (isBinary) return;
    if (!incoming.push(String(data))) socket.pause();
  });
  incoming.onDrained = () => socket.resume();
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      incoming.end();
      resolve({ code, reason: String(reason) });
    });
  });
  const abort = () => socket.terminate();
  await new Promise<void>((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', (error) => reject(unreachable(options.address, error, signal)));
    socket.on('unexpected-response', (_request, response) => {
      collectText(response).then((text) => reject(new ResponseError(response.statusCode ?? 0, text.trim())), reject);
    });
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
  });
  void closed.then(() => signal?.removeEventListener('abort', abort));
  return {
    send: (text) => new Promise((resolve, reject) => socket.send(text, (error) => (error ? reject(error) : resolve()))),
    messages: incoming,
    closed,
    close: () => socket.close(1000),
  };
}

function hostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Messages wait here until they are read; beyond a thousand the socket is paused. */
class MessageQueue implements AsyncIterable<string> {
  readonly #waiting: string[] = [];
  #ended = false;
  #wake: (() => void) | undefined;
  onDrained: () => void = () => {};

  /** False: take a rest. */
  push(message: string): boolean {
    this.#waiting.push(message);
    this.#wake?.();
    return this.#waiting.length < 1000;
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<string> {
    for (;;) {
      const message = this.#waiting.shift();
      if (message !== undefined) {
        if (this.#waiting.length === 0) this.onDrained();
        yield message;
      } else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
