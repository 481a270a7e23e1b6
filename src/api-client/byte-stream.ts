/** Splitting byte streams into JSON values: concatenated objects (log frames) and lines (events). */
import { Fault } from '../lib/fault.ts';
import { type Json, parseJson } from '../lib/json.ts';

/** Resolves at the end of the stream with all of it, as UTF-8; rejects where the stream breaks off. */
export async function collectText(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** A value nobody needs (64 MiB) is not kept waiting for its end. */
const maximumPending = 64 * 1024 * 1024;

/**
 * `{"a":1}{}\n{"b":"}"}` → its three objects, as they become complete. Text between objects is white space;
 * anything else, or an end inside an object, is `Fault('invalid')`.
 */
export async function* jsonObjects(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Json> {
  const decoder = new TextDecoder();
  const scanner = new ObjectScanner();
  for await (const chunk of chunks) yield* scanner.push(decoder.decode(chunk, { stream: true }));
  yield* scanner.push(decoder.decode());
  scanner.end();
}

class ObjectScanner {
  #pending = '';
  #at = 0;
  #depth = 0;
  #inString = false;

  *push(text: string): Iterable<Json> {
    this.#pending += text;
    let start = 0;
    for (; this.#at < this.#pending.length; this.#at++) {
      const char = this.#pending.charCodeAt(this.#at);
      if (this.#inString) {
        if (char === 0x5c) this.#at++;
        else if (char === 0x22) this.#inString = false;
      } else if (char === 0x22) this.#inString = true;
      else if (char === 0x7b || char === 0x5b) this.#depth++;
      else if ((char === 0x7d || char === 0x5d) && --this.#depth <= 0) {
        yield parseJson(this.#pending.slice(start, this.#at + 1));
        start = this.#at + 1;
        this.#depth = 0;
      }
    }
    this.#pending = this.#pending.slice(start);
    this.#at -= start;
    if (this.#pending.length > maximumPending) throw new Fault('invalid', 'a value of the stream is too long');
  }

  end(): void {
    if (this.#pending.trim() !== '') throw new Fault('unavailable', 'the stream ended in the middle of a value');
  }
}

/** Standard base64 → bytes. Throws `InvalidCharacterError` for what is none. */
export function decodeBase64(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

/** Bytes → standard base64, of any length. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 0x8000)
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(binary);
}
