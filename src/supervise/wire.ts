import { Fault } from '../lib/fault.ts';

/** Frames and fields of docs/shim-protocol.md. Pure: bytes in, bytes out. */

export const FRAME_MAX = 1_048_576;
export const WINDOW = 65_536;
export const PROTOCOL = 1;

export const clientFrame = {
  hello: 1,
  status: 2,
  signal: 3,
  stop: 4,
  go: 5,
  exec: 6,
  shutdown: 7,
  report: 8,
  stdin: 32,
  stdinEnd: 33,
  resize: 34,
  window: 35,
  sessionSignal: 36,
} as const;

export const shimFrame = {
  hello: 128,
  answer: 129,
  error: 130,
  exit: 131,
  report: 132,
  state: 133,
  output: 144,
  sessionEnd: 145,
  stdinWindow: 146,
} as const;

export interface Frame {
  readonly type: number;
  readonly payload: Uint8Array;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of((value >>> 8) & 0xff, value & 0xff);
}

/** Also for negative numbers, as two's complement. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

export function readU32(bytes: Uint8Array, at = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

export function encodeFrame(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = 1 + parts.reduce((sum, part) => sum + part.length, 0);
  if (length > FRAME_MAX) throw new Fault('invalid', `a frame of ${length} bytes is longer than ${FRAME_MAX}`);
  return concat([u32(length), u8(type), ...parts]);
}

/** Puts frames together from chunks of any size. A length out of range is `Fault('invalid')`, and the stream is of no more use. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #have = 0;

  push(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    while (this.#have >= 4) {
      const length = readU32(this.#peek(4));
      if (length < 1 || length > FRAME_MAX) throw new Fault('invalid', `a frame length of ${length} is out of range`);
      if (this.#have < 4 + length) break;
      const bytes = this.#peek(4 + length);
      frames.push({ type: bytes[4] ?? 0, payload: bytes.slice(5, 4 + length) });
      this.#drop(4 + length);
    }
    return frames;
  }

  #peek(count: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) return first;
    const whole = concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }

  #drop(count: number): void {
    const first = this.#chunks[0] ?? new Uint8Array();
    if (first.length === count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    this.#have -= count;
  }
}

const text = new TextEncoder();

function fieldOf(tag: number, length: number): Uint8Array {
  const bytes = new Uint8Array(5 + length);
  bytes[0] = tag;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

export function field(tag: number, value: Uint8Array): Uint8Array {
  const bytes = fieldOf(tag, value.length);
  bytes.set(value, 5);
  return bytes;
}

/** A string field. A NUL inside cannot be said and is `Fault('invalid')`. */
export function stringField(tag: number, value: string): Uint8Array {
  if (value.includes('\0')) throw new Fault('invalid', `${JSON.stringify(value.slice(0, 40))} holds a NUL byte`);
  const encoded = text.encode(value);
  const bytes = fieldOf(tag, encoded.length + 1);
  bytes.set(encoded, 5);
  return bytes;
}

export interface Field {
  readonly tag: number;
  readonly value: Uint8Array;
}

export function decodeFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 5) throw new Fault('invalid', `fields end early at byte ${at}`);
    const length = readU32(bytes, at + 1);
    if (length > bytes.length - at - 5)
      throw new Fault('invalid', `the field at byte ${at} is longer than what is left`);
    fields.push({ tag: bytes[at] ?? 0, value: bytes.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return fields;
}

/** The string in a field: it ends with the one NUL it has. */
export function fieldString(value: Uint8Array): string {
  if (value.indexOf(0) !== value.length - 1) throw new Fault('invalid', 'a string field must end with its only NUL');
  return new TextDecoder().decode(value.subarray(0, -1));
}
