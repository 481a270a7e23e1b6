/** Where bytes are read from, for readers that want so many at a time (`../tar.ts`). */
import type { FileHandle } from 'node:fs/promises';
import type { ByteSource } from '../tar.ts';

/** A part of a file; skipping reads nothing. */
export function fileSource(file: FileHandle, from: number, to: number): ByteSource {
  let at = from;
  return {
    async read(length) {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, to - at)));
      let have = 0;
      while (have < bytes.length) {
        const { bytesRead } = await file.read(bytes, have, bytes.length - have, at + have);
        if (bytesRead === 0) break;
        have += bytesRead;
      }
      at += have;
      return bytes.subarray(0, have);
    },
    async skip(length) {
      at += length;
    },
  };
}

/** What a stream brings; ended by its consumer with `iterator.return`. */
export function streamSource(stream: AsyncIterable<Uint8Array>): ByteSource & { close(): Promise<void> } {
  const iterator = stream[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array();
  const take = async (length: number, use: (piece: Uint8Array) => void): Promise<void> => {
    for (let left = length; left > 0; ) {
      if (held.length === 0) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        held = value;
      }
      const piece = held.subarray(0, left);
      held = held.subarray(piece.length);
      left -= piece.length;
      use(piece);
    }
  };
  return {
    async read(length) {
      const pieces: Uint8Array[] = [];
      await take(length, (piece) => pieces.push(piece));
      return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    },
    skip: (length) => take(length, () => {}),
    async close() {
      await iterator.return?.();
    },
  };
}
