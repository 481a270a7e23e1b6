/** The engine's way of putting two streams into one: stream (1 byte), three zeros, length (4 bytes, big-endian), then that many bytes. */
export interface OutputFrame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** Bytes as they arrive → whole frames. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(part: Buffer): readonly OutputFrame[] {
    this.#rest = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
    const frames: OutputFrame[] = [];
    let at = 0;
    while (this.#rest.length - at >= 8) {
      const length = this.#rest.readUInt32BE(at + 4);
      if (this.#rest.length - at - 8 < length) break;
      frames.push({
        stream: this.#rest[at] === 2 ? 'stderr' : 'stdout',
        data: this.#rest.subarray(at + 8, at + 8 + length),
      });
      at += 8 + length;
    }
    this.#rest = this.#rest.subarray(at);
    return frames;
  }
}
