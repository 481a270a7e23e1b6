/**
 * One connection to the HTTP API: namespace, region and token on every request, state indexes and errors on every answer.
 * The typed routes stand in `nouns`; whatever has no method there is reached by `get`, `put`, `raw`.
 */
import { formatJson, parseNouns } from '../lib/json.ts';
import { collectText } from './byte-stream.ts';
import { type Query, withQuery } from './path.ts';
import { ResponseError } from './response-error.ts';
import type { Transport, TransportResponse, TransportSocket } from './transport.ts';

export interface ApiClientOptions {
  readonly transport: Transport;
  readonly region?: string | undefined;
  /** `"*"`: all, on lists. Default: the server's, `default`. */
  readonly namespace?: string | undefined;
  readonly token?: string | undefined;
}

export interface CallOptions {
  readonly query?: Query | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface ReadResult<T> {
  readonly value: T;
  /** The state index of the answer, to be given as `index` of the next blocking query; 0 where the route has none. */
  readonly index: number;
  readonly knownLeader: boolean;
  readonly lastContactMs: number;
  /** `""`: no further page. */
  readonly nextToken: string;
}

export interface RawRequest extends CallOptions {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Uint8Array | undefined;
}

export class ApiClient {
  readonly options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.options = options;
  }

  /** The same connection with another namespace, region or token. */
  with(options: Partial<Omit<ApiClientOptions, 'transport'>>): ApiClient {
    return new ApiClient({ ...this.options, ...options });
  }

  /** Faults: `ResponseError` for any status but success, `unavailable` where nobody answers. */
  async get<T>(path: string, options: CallOptions = {}): Promise<ReadResult<T>> {
    return this.#json<T>({ method: 'GET', path, ...options });
  }

  /** An empty answer gives `null`. */
  async put<T>(path: string, body?: unknown, options: CallOptions = {}): Promise<ReadResult<T>> {
    return this.#json<T>({ method: 'PUT', path, body: body === undefined ? undefined : formatJson(body), ...options });
  }

  async post<T>(path: string, body?: unknown, options: CallOptions = {}): Promise<ReadResult<T>> {
    return this.#json<T>({ method: 'POST', path, body: body === undefined ? undefined : formatJson(body), ...options });
  }

  async delete<T>(path: string, options: CallOptions & { readonly body?: unknown } = {}): Promise<ReadResult<T>> {
    const { body, ...others } = options;
    return this.#json<T>({
      method: 'DELETE',
      path,
      body: body === undefined ? undefined : formatJson(body),
      ...others,
    });
  }

  /** All pages of a list, one after another. */
  async *pages<T>(
    path: string,
    options: CallOptions & { readonly perPage?: number } = {},
  ): AsyncIterable<readonly T[]> {
    let token: string | undefined;
    do {
      const query = { ...options.query, per_page: options.perPage ?? 1000, next_token: token };
      const page: ReadResult<readonly T[]> = await this.get(path, { ...options, query });
      yield page.value ?? [];
      token = page.nextToken;
    } while (token !== '');
  }

  /**
   * A value now and again whenever its index grows (blocking queries), until the signal fires. `waitMs`: how long one query is parked (default 5 minutes).
   */
  async *watch<T>(
    path: string,
    options: CallOptions & { readonly waitMs?: number } = {},
  ): AsyncIterable<ReadResult<T>> {
    let index = 0;
    while (options.signal?.aborted !== true) {
      const query = { ...options.query, index: index || undefined, wait: `${options.waitMs ?? 300_000}ms` };
      const result = await this.get<T>(path, { ...options, query });
      // 0 would not park; an index that went back (a restored server) is news like any other
      const next = Math.max(result.index, 1);
      if (next !== index) yield result;
      index = next;
    }
  }

  /** The bytes of an answer as they come. Aborting the signal, or leaving the loop, ends the request. */
  async *stream(path: string, options: CallOptions = {}): AsyncIterable<Uint8Array> {
    const response = await this.raw({ method: 'GET', path, ...options });
    try {
      await throwUnlessSuccess(response);
      yield* response.body;
    } finally {
      response.dispose();
    }
  }

  /** Faults: `ResponseError` where the server refuses to upgrade. */
  async webSocket(path: string, options: CallOptions = {}): Promise<TransportSocket> {
    const { signal } = options;
    return this.options.transport.webSocket({
      path: this.#target(path, options),
      headers: this.#headers(options),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** The answer as it is, whatever its status. */
  async raw(request: RawRequest): Promise<TransportResponse> {
    const { method, path, body, signal } = request;
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.options.transport.request({
      method,
      path: this.#target(path, request),
      headers: { ...json, ...this.#headers(request) },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  close(): void {
    this.options.transport.close();
  }

  #target(path: string, options: CallOptions): string {
    const { region, namespace } = this.options;
    return withQuery(path, { namespace: namespace || undefined, region: region || undefined, ...options.query });
  }

  #headers(options: CallOptions): Record<string, string> {
    const token = this.options.token ? { 'x-nomad-token': this.options.token } : {};
    return { ...token, ...options.headers };
  }

  async #json<T>(request: RawRequest): Promise<ReadResult<T>> {
    const response = await this.raw(request);
    await throwUnlessSuccess(response);
    const text = await collectText(response.body);
    const { headers } = response;
    return {
      value: (text.trim() === '' ? null : parseNouns(text)) as T,
      index: Number(headers['x-nomad-index'] ?? 0),
      knownLeader: headers['x-nomad-knownleader'] === 'true',
      lastContactMs: Number(headers['x-nomad-lastcontact'] ?? 0),
      nextToken: headers['x-nomad-nexttoken'] ?? '',
    };
  }
}

async function throwUnlessSuccess(response: TransportResponse): Promise<void> {
  if (response.status >= 200 && response.status < 300) return;
  throw new ResponseError(response.status, (await collectText(response.body)).trim());
}
