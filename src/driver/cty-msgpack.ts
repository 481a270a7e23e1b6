/**
 * A value as MessagePack, byte for byte as Go's cty writes it with the value's own type: objects and maps with sorted keys, whole
 * numbers of 64 bits in the shortest form, fractions as a float where that is exact, and all others as decimal text.
 */
import {
  asEntries,
  asItems,
  asNumber,
  asString,
  fromFloat,
  type HclNumber,
  isInteger,
  numberText,
  toFloat,
  truncate,
  type Value,
} from '../hcl/index.ts';

/** The value must be wholly known. */
export function ctyMsgpack(value: Value): Uint8Array {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

const utf8 = new TextEncoder();

class Writer {
  #buffer = new Uint8Array(256);
  #view = new DataView(this.#buffer.buffer);
  #at = 0;

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#at);
  }

  value(value: Value): void {
    const { data, type } = value;
    if (value.state !== 'known') this.#byte(0xc0);
    else if (typeof data === 'boolean') this.#byte(data ? 0xc3 : 0xc2);
    else if (typeof data === 'string') this.#text(asString(value));
    else if (type.kind === 'number') this.#number(asNumber(value));
    else if (data instanceof Map) {
      const entries = asEntries(value);
      this.#head(entries.size, 0x80, 0xde);
      for (const [key, item] of entries) {
        this.#text(key);
        this.value(item);
      }
    } else {
      const items = asItems(value);
      this.#head(items.length, 0x90, 0xdc);
      for (const item of items) this.value(item);
    }
  }

  #number(number: HclNumber): void {
    const whole = isInteger(number) ? truncate(number) : undefined;
    const near = toFloat(number);
    const exact = fromFloat(near);
    if (whole !== undefined && BigInt.asIntN(64, whole) === whole) this.#integer(whole);
    else if (number.infinite || (whole === undefined && exact !== undefined && sameNumber(exact, number))) {
      this.#byte(0xcb);
      this.#room(8);
      this.#view.setFloat64(this.#at, near);
      this.#at += 8;
    } else this.#text(numberText(number));
  }

  #integer(value: bigint): void {
    const positive = value >= 0n;
    if (positive ? value < 0x80n : value >= -32n) {
      this.#byte(Number(value & 0xffn));
      return;
    }
    const magnitude = positive ? value : 2n * (-value - 1n);
    const width = magnitude < 0x100n ? 0 : magnitude < 0x10000n ? 1 : magnitude < 0x100000000n ? 2 : 3;
    this.#big((positive ? 0xcc : 0xd0) + width, value, 1 << width);
  }

  #big(head: number, value: bigint, width: number): void {
    this.#byte(head);
    this.#room(width);
    for (let i = width - 1, rest = value; i >= 0; i--, rest >>= 8n) this.#buffer[this.#at + i] = Number(rest & 0xffn);
    this.#at += width;
  }

  #text(text: string): void {
    const bytes = utf8.encode(text);
    if (bytes.length < 32) this.#byte(0xa0 | bytes.length);
    else if (bytes.length < 0x100) this.#big(0xd9, BigInt(bytes.length), 1);
    else this.#big(bytes.length < 0x10000 ? 0xda : 0xdb, BigInt(bytes.length), bytes.length < 0x10000 ? 2 : 4);
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #head(count: number, short: number, long: number): void {
    if (count < 16) this.#byte(short | count);
    else this.#big(count < 0x10000 ? long : long + 1, BigInt(count), count < 0x10000 ? 2 : 4);
  }

  #byte(value: number): void {
    this.#room(1);
    this.#buffer[this.#at++] = value;
  }

  #room(count: number): void {
    if (this.#at + count <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#at + count));
    larger.set(this.#buffer);
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Equal in value whatever their precisions. */
function sameNumber(a: HclNumber, b: HclNumber): boolean {
  if (a.negative !== b.negative || a.infinite !== b.infinite) return false;
  const low = Math.min(a.exponent, b.exponent);
  if (Math.max(a.exponent, b.exponent) - low > 4096) return false;
  return a.mantissa << BigInt(a.exponent - low) === b.mantissa << BigInt(b.exponent - low);
}
