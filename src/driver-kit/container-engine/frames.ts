/** The engine's way of putting two streams into one: stream (1 byte), three zeros, length (4 bytes, big-endian), then that many bytes. */
import { Fault } from '../../lib/fault.ts';

export interface OutputFrame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/** Engines cut what is longer. */
const longestFrame = 16 * 1024 * 1024;

/** Bytes as they arrive → whole frames. `Fault('unavailable')`: they are none. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  push(part: Buffer): readonly OutputFrame[] {
    this.#rest = this.#rest.length === 0 ? part : Buffer.concat([this.#rest, part]);
    const frames: OutputFrame[] = [];
    let at = 0;
    while (this.#rest.length - at >= 8) {
      const length = this.#rest.readUInt32BE(at + 4);
      if (this.#rest.readUIntBE(at + 1, 3) !== 0 || this.#rest[at]! > 2 || length > longestFrame)
        throw new Fault('unavailable', 'the engine answers nonsense in place of output');
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
