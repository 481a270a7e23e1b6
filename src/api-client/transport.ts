/**
 * What carries a request. Handed in by the caller, so that this folder runs in a browser, in tests and in the simulator;
 * `lib/node/http-transport` is the one for Node.
 */
export interface TransportRequest {
  readonly method: string;
  /** Begins with `/`; query included, percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Decompressed. Reading it is optional; `dispose` must be called where it is not read to its end. */
  readonly body: AsyncIterable<Uint8Array>;
  dispose(): void;
}

export interface TransportSocket {
  send(text: string): Promise<void>;
  /** Text messages until the other side closes. */
  readonly messages: AsyncIterable<string>;
  /** Resolves once closed, by whichever side; 1000 is a normal end. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  close(): void;
}

export interface Transport {
  /** Faults: `unavailable` where nobody answers. Any status is an answer. */
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Faults: `unavailable`; an answer that is no upgrade gives its status and text, as `ResponseError` does. */
  webSocket(request: Pick<TransportRequest, 'path' | 'headers' | 'signal'>): Promise<TransportSocket>;
  /** Ends kept connections. */
  close(): void;
}
