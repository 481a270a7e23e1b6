/** Files and logs of an allocation. */

import type { FileInfo } from '../model/file-info.ts';
import { decodeBase64, jsonObjects } from './byte-stream.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { path } from './path.ts';

export interface StreamFrame {
  readonly file: string;
  /** Offset in the file after `data`. */
  readonly offset: number;
  readonly data: Uint8Array;
  /** `""`, `"file deleted"`, `"file truncated"`. */
  readonly event: string;
}

export interface LogsRequest {
  readonly task: string;
  readonly type: 'stdout' | 'stderr';
  /** Default false. */
  readonly follow?: boolean;
  /** Default `"start"`. */
  readonly origin?: 'start' | 'end';
  /** Bytes from the origin; default 0. */
  readonly offset?: number;
}

export class FilesClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  list(allocId: string, directory = '/', options: CallOptions = {}): Promise<ReadResult<readonly FileInfo[]>> {
    return this.#client.get(path`/v1/client/fs/ls/${allocId}`, withPath(directory, options));
  }

  stat(allocId: string, file: string, options: CallOptions = {}): Promise<ReadResult<FileInfo>> {
    return this.#client.get(path`/v1/client/fs/stat/${allocId}`, withPath(file, options));
  }

  /** The bytes of a file, whole. */
  cat(allocId: string, file: string, options: CallOptions = {}): AsyncIterable<Uint8Array> {
    return this.#client.stream(path`/v1/client/fs/cat/${allocId}`, withPath(file, options));
  }

  /** A piece of a file; `limit` absent: the rest. */
  readAt(
    allocId: string,
    file: string,
    range: { readonly offset: number; readonly limit?: number },
    options: CallOptions = {},
  ): AsyncIterable<Uint8Array> {
    const query = { ...options.query, offset: range.offset, limit: range.limit };
    return this.#client.stream(path`/v1/client/fs/readat/${allocId}`, withPath(file, { ...options, query }));
  }

  /** A file as it grows. */
  follow(
    allocId: string,
    file: string,
    from: { readonly origin?: 'start' | 'end'; readonly offset?: number; readonly follow?: boolean } = {},
    options: CallOptions = {},
  ): AsyncIterable<StreamFrame> {
    const query = { ...options.query, origin: from.origin, offset: from.offset, follow: from.follow };
    return frames(this.#client.stream(path`/v1/client/fs/stream/${allocId}`, withPath(file, { ...options, query })));
  }

  logs(allocId: string, request: LogsRequest, options: CallOptions = {}): AsyncIterable<StreamFrame> {
    const query = {
      ...options.query,
      task: request.task,
      type: request.type,
      follow: request.follow ?? false,
      origin: request.origin ?? 'start',
      offset: request.offset ?? 0,
    };
    return frames(this.#client.stream(path`/v1/client/fs/logs/${allocId}`, { ...options, query }));
  }
}

function withPath(file: string, options: CallOptions): CallOptions {
  return { ...options, query: { ...options.query, path: file } };
}

/** Heartbeats are left out. */
export async function* frames(chunks: AsyncIterable<Uint8Array>): AsyncIterable<StreamFrame> {
  for await (const value of jsonObjects(chunks)) {
    const frame = value as { Data?: string; File?: string; Offset?: number; FileEvent?: string };
    if (frame.Data === undefined && frame.FileEvent === undefined) continue;
    yield {
      file: frame.File ?? '',
      offset: frame.Offset ?? 0,
      data: decodeBase64(frame.Data ?? ''),
      event: frame.FileEvent ?? '',
    };
  }
}
