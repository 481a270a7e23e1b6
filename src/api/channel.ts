/**
 * One answer on its way out: compressed where the caller takes it (in zlib's threads, on the event loop only what takes less time than the
 * way there and back), with back pressure, and ended early when the caller is gone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import {
  constants,
  createDeflate,
  createGzip,
  type Deflate,
  deflate,
  deflateSync,
  type Gzip,
  gzip,
  gzipSync,
} from 'node:zlib';

export type Encoding = 'gzip' | 'deflate' | 'identity';

/** The best the caller takes, gzip first: `"gzip;q=0, deflate"` → deflate. */
function encodingFor(acceptEncoding: string | undefined): Encoding {
  const taken = new Map(
    (acceptEncoding ?? '').split(',').map((item) => {
      const [name = '', ...parameters] = item
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      return [name, !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))] as const;
    }),
  );
  for (const encoding of ['gzip', 'deflate'] as const) if (taken.get(encoding) ?? false) return encoding;
  return 'identity';
}

const gzipped = promisify(gzip);
const deflated = promisify(deflate);
// The fastest level: lists are long and repetitive, and links between agents and people are rarely that thin.
const level = constants.Z_BEST_SPEED;
/** So many bytes are compressed in a tenth of a millisecond. */
const small = 4096;
const briefly = { level, windowBits: 12, memLevel: 4 };

export interface Headers {
  [name: string]: string | number | readonly string[];
}

export class Channel {
  readonly #response: ServerResponse;
  readonly #encoding: Encoding;
  readonly signal: AbortSignal;
  #compressor: Gzip | Deflate | undefined;
  readonly headers: Headers = {};

  constructor(request: IncomingMessage, response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#encoding = encodingFor(request.headers['accept-encoding']);
    this.signal = signal;
    this.headers['vary'] = 'Accept-Encoding';
  }

  get started(): boolean {
    return this.#response.headersSent;
  }

  /** A whole answer at once. An empty one has no content type. */
  async send(status: number, contentType: string | undefined, body: string | Buffer): Promise<void> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    if (bytes.length === 0 || this.#encoding === 'identity') return this.#whole(status, contentType, bytes);
    this.headers['content-encoding'] = this.#encoding;
    if (bytes.length <= small) {
      return this.#whole(status, contentType, (this.#encoding === 'gzip' ? gzipSync : deflateSync)(bytes, briefly));
    }
    this.#whole(status, contentType, await (this.#encoding === 'gzip' ? gzipped : deflated)(bytes, { level }));
  }

  #whole(status: number, contentType: string | undefined, bytes: Buffer): void {
    if (this.#response.destroyed) return;
    if (contentType !== undefined) this.headers['content-type'] = contentType;
    if (status !== 204) this.headers['content-length'] = bytes.length;
    this.#response.writeHead(status, this.headers as Record<string, string>);
    this.#response.end(bytes);
  }

  /** An answer in pieces follows. `live`: each piece is on its way at once (logs), else compressed in bulk (lists). */
  start(status: number, contentType: string, live: boolean): void {
    this.headers['content-type'] = contentType;
    if (this.#encoding !== 'identity') {
      this.headers['content-encoding'] = this.#encoding;
      const options = {
        level,
        chunkSize: live ? 16 * 1024 : 256 * 1024,
        flush: live ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH,
      };
      this.#compressor = this.#encoding === 'gzip' ? createGzip(options) : createDeflate(options);
      this.#compressor.pipe(this.#response);
      // the caller left in the middle: nobody waits for the rest
      this.#response.once('close', () => this.#compressor?.destroy());
      this.#compressor.on('error', () => this.#response.destroy());
    }
    this.#response.writeHead(status, this.headers as Record<string, string>);
    if (live) this.#response.flushHeaders();
  }

  /** Resolves when there is room for more, or the caller is gone. */
  async write(piece: Uint8Array | string): Promise<void> {
    const sink = this.#compressor ?? this.#response;
    if (sink.destroyed || this.signal.aborted) return;
    if (sink.write(piece)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        sink.off('drain', done);
        this.#response.off('close', done);
        this.signal.removeEventListener('abort', done);
        resolve();
      };
      sink.on('drain', done);
      this.#response.on('close', done);
      this.signal.addEventListener('abort', done);
    });
  }

  end(): void {
    (this.#compressor ?? this.#response).end();
  }

  /** The answer cannot be finished: the connection is cut, so that the caller does not take a part for the whole. */
  abandon(): void {
    this.#response.destroy();
  }
}
