/**
 * The HTTP API of a container engine, as far as drivers need it: calls, streams, hijacked connections. Source: the Docker Engine API
 * reference, version 1.41; podman answers the same calls. Whatever goes wrong is a `Fault` that says what the caller does next.
 */
import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Duplex, pipeline, type Readable } from 'node:stream';
import { Fault, type FaultKind, isFault, messageOf } from '../../lib/fault.ts';
import type { Endpoint } from './endpoint.ts';

export interface EngineCall {
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON; a stream is sent as it is (a tar). */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Until the answer's head is there; and again until its end, where it is read whole. Default 60,000. */
  readonly timeoutMs?: number;
}

type Method = 'GET' | 'POST' | 'DELETE' | 'HEAD';

const defaultTimeoutMs = 60_000;
/** An answer that is read whole. */
const largestAnswer = 64 * 1024 * 1024;
/** Characters. */
const longestLine = 16 * 1024 * 1024;

/** The cause of a fault whose engine was reached and took longer than it may. */
export const tookTooLong = new Error('the engine took too long');

export class EngineClient {
  readonly endpoint: Endpoint;
  /** For messages: `"docker"`. */
  readonly #engine: string;
  /** `"/v1.41"`; `""`: the engine's newest. */
  readonly #prefix: string;
  /** A connection for each call: an engine that was restarted leaves no dead ones behind. */
  readonly #agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

  constructor(engine: string, endpoint: Endpoint, prefix = '') {
    this.#engine = engine;
    this.endpoint = endpoint;
    this.#prefix = prefix;
  }

  /** The answer as JSON; undefined where it has no body. An answer that is no JSON is `Fault('unavailable')`. */
  async json(method: Method, path: string, call: EngineCall): Promise<unknown> {
    const text = await this.text(method, path, call);
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch {
      throw this.#nonsense(`answered ${method} ${path} with what is no JSON: ${JSON.stringify(text.slice(0, 80))}`);
    }
  }

  async text(method: Method, path: string, call: EngineCall): Promise<string> {
    return this.#whole(await this.stream(method, path, call), `${method} ${path}`, call);
  }

  /** The answer's body as it comes; its status was looked at. Aborting ends it. */
  stream(method: Method, path: string, call: EngineCall): Promise<Readable> {
    return new Promise((resolve, reject) => {
      const request = this.#request(method, path, call, reject);
      request.on('response', (response) => {
        this.#checked(response, `${method} ${path}`, call).then(resolve, reject);
      });
      this.#send(request, call.body);
    });
  }

  /** A connection that the engine hands over: what is written goes to the process, what is read comes from it. */
  upgrade(path: string, call: EngineCall): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const headers = { ...call.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
      const request = this.#request('POST', path, { ...call, headers }, reject);
      request.on('upgrade', (_, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      request.on('response', (response) => {
        this.#checked(response, `POST ${path}`, call).then(
          () => reject(this.#nonsense(`does not hand over the connection of POST ${path}`)),
          reject,
        );
      });
      this.#send(request, call.body);
    });
  }

  #send(request: ClientRequest, body: unknown): void {
    // a file that cannot be read on ends the call, and a call that ends closes the file
    if (isStream(body)) pipeline(body, request, () => {});
    else request.end(body === undefined ? undefined : JSON.stringify(body));
  }

  #request(method: Method, path: string, call: EngineCall, reject: (error: unknown) => void): ClientRequest {
    const { connect, tls } = this.endpoint;
    const query = new URLSearchParams(call.query).toString();
    const options: RequestOptions = {
      ...connect,
      method,
      path: `${this.#prefix}${path}${query === '' ? '' : `?${query}`}`,
      headers: {
        Host: connect.host ?? 'engine',
        ...(call.body === undefined || isStream(call.body) ? {} : { 'Content-Type': 'application/json' }),
        ...call.headers,
      },
      signal: call.signal,
      ...(tls ? {} : { agent: this.#agent }),
    };
    const request = (tls ? httpsRequest : httpRequest)(options);
    const limitMs = call.timeoutMs ?? defaultTimeoutMs;
    const timer = setTimeout(() => {
      request.destroy();
      reject(this.#away(`does not answer ${method} ${path} within ${limitMs / 1000} s`, tookTooLong));
    }, limitMs);
    const settled = (): void => clearTimeout(timer);
    request.on('response', settled).on('upgrade', settled);
    request.on('error', (error) => {
      settled();
      if (call.signal.aborted) return reject(call.signal.reason);
      const senseless = (error as NodeJS.ErrnoException).code?.startsWith('HPE_') === true;
      if (senseless) reject(this.#nonsense(`answered ${method} ${path} with what is no HTTP: ${messageOf(error)}`));
      else reject(this.#away(`is not reached: ${messageOf(error)}${this.#wayOut(error)}`, error));
    });
    return request;
  }

  #wayOut(error: NodeJS.ErrnoException): string {
    const where = `plugin ${JSON.stringify(this.#engine)} { config { ${this.#engine === 'podman' ? 'socket_path' : 'endpoint'} = "…" } }`;
    switch (error.code) {
      case 'ENOENT':
      case 'ECONNREFUSED':
        return `; nothing listens there: start it, or name where it listens by ${where}`;
      case 'EACCES':
      case 'EPERM':
        return "; the agent's user may not use that socket: add it to the socket's group";
      default:
        return '';
    }
  }

  /** An error is the engine's own only in the engine's form: a web server in its place finds nothing either, and is not believed. */
  async #checked(response: IncomingMessage, what: string, call: EngineCall): Promise<Readable> {
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 400) return response;
    const text = await this.#whole(response, what, call).catch(() => '');
    const said = messageIn(text);
    if (said === '')
      throw this.#nonsense(
        `answered ${what} with status ${status} and what is none of its errors: ${JSON.stringify(text.slice(0, 80))}`,
      );
    const kind = kindOf(status);
    throw new Fault(kind, status >= 500 ? `${this.#engine}: ${said}` : said, {
      recoverable: kind === 'unavailable' || kind === 'conflict',
      cause: what,
    });
  }

  /** What an engine began to say it must also end. */
  async #whole(answer: Readable, what: string, call: EngineCall): Promise<string> {
    const limitMs = call.timeoutMs ?? defaultTimeoutMs;
    const late = this.#away(`does not finish its answer to ${what} within ${limitMs / 1000} s`, tookTooLong);
    const timer = setTimeout(() => answer.destroy(late), limitMs);
    try {
      return await readAll(answer);
    } catch (error) {
      if (call.signal.aborted) throw call.signal.reason;
      throw isFault(error) ? error : this.#away(`breaks off its answer to ${what}: ${messageOf(error)}`, error);
    } finally {
      clearTimeout(timer);
    }
  }

  #away(what: string, cause?: unknown): Fault {
    return new Fault('unavailable', `${this.#engine} at ${this.endpoint.address} ${what}`, {
      recoverable: true,
      cause,
    });
  }

  #nonsense(what: string): Fault {
    return this.#away(what);
  }
}

function kindOf(status: number): FaultKind {
  if (status === 404) return 'not_found';
  if (status === 409) return 'conflict';
  if (status === 401 || status === 403) return 'denied';
  return status >= 500 || status < 200 ? 'unavailable' : 'invalid';
}

/** `""`: the text is no error in an engine's form. */
function messageIn(text: string): string {
  try {
    const value = JSON.parse(text) as { readonly message?: unknown } | null;
    return typeof value?.message === 'string' ? value.message : '';
  } catch {
    return '';
  }
}

async function readAll(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > largestAnswer) throw new Fault('unavailable', `an answer has more than ${largestAnswer} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function isStream(value: unknown): value is Readable {
  return typeof value === 'object' && value !== null && typeof (value as Readable).pipe === 'function';
}

/** Values of a body that is one JSON value a line. What is no JSON is `Fault('unavailable')`. */
export async function* jsonLines(stream: Readable): AsyncGenerator<Readonly<Record<string, unknown>>> {
  let rest = '';
  for await (const part of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = `${rest}${part}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestLine)
      throw new Fault('unavailable', `the engine sent a line of more than ${longestLine} characters`, {
        recoverable: true,
      });
    for (const line of lines) if (line.trim() !== '') yield parseLine(line);
  }
  if (rest.trim() !== '') yield parseLine(rest);
}

function parseLine(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    throw new Fault('unavailable', `the engine sent what is no JSON: ${JSON.stringify(line.slice(0, 80))}`, {
      recoverable: true,
    });
  }
}
