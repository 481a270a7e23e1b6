/** What a session's command says, until it is read: more than a megabyte of it stays with whoever it comes from. */
import { AsyncQueue } from './async-queue.ts';

interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** Bytes. */
const mostWaiting = 1024 * 1024;

export class SessionOutput implements AsyncIterable<Chunk> {
  readonly #queue = new AsyncQueue<Chunk>();
  readonly #source: { pause(): unknown; resume(): unknown };
  #waiting = 0;

  /** `source`: whatever pushes; it is told when to pause. */
  constructor(source: { pause(): unknown; resume(): unknown }) {
    this.#source = source;
  }

  push(stream: Chunk['stream'], data: Uint8Array): void {
    if (data.length === 0) return;
    this.#queue.push({ stream, data });
    this.#waiting += data.length;
    if (this.#waiting > mostWaiting) this.#source.pause();
  }

  /** What was pushed is still given out. */
  end(): void {
    this.#queue.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk> {
    for await (const chunk of this.#queue) {
      yield chunk;
      this.#waiting -= chunk.data.length;
      if (this.#waiting < mostWaiting / 2) this.#source.resume();
    }
  }
}
