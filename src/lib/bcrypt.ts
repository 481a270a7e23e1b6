/**
 * The bcrypt password hash (Provos and Mazières, 1999), version 2a. Its start tables are the binary digits of pi, so
 * they are computed instead of written down.
 */

const alphabet = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const rounds = 16;
const boxWords = 1024;

let piWords: Uint32Array | undefined;

/** The words of pi after the point: 18 for the subkeys, 1024 for the boxes. */
function startTables(): Uint32Array {
  if (piWords !== undefined) return piWords;
  const count = rounds + 2 + boxWords;
  const bits = BigInt(count * 32 + 64);
  const one = 1n << bits;
  const inverseTangent = (x: bigint): bigint => {
    let term = one / x;
    let sum = term;
    for (let k = 3n; term !== 0n; k += 2n) {
      term = -term / (x * x);
      sum += term / k;
    }
    return sum;
  };
  const pi = 4n * (4n * inverseTangent(5n) - inverseTangent(239n));
  const digits = ((pi - 3n * one) >> 64n).toString(16).padStart(count * 8, '0');
  piWords = Uint32Array.from({ length: count }, (_, i) => Number.parseInt(digits.slice(i * 8, i * 8 + 8), 16));
  return piWords;
}

/** Blowfish with its key schedule made expensive. */
class Blowfish {
  readonly #keys: Uint32Array;
  readonly #boxes: Uint32Array;

  constructor() {
    const tables = startTables();
    this.#keys = tables.slice(0, rounds + 2);
    this.#boxes = tables.slice(rounds + 2);
  }

  #mix(x: number): number {
    const s = this.#boxes;
    const sum = (s[x >>> 24]! + s[256 + ((x >>> 16) & 255)]!) | 0;
    return ((sum ^ s[512 + ((x >>> 8) & 255)]!) + s[768 + (x & 255)]!) | 0;
  }

  /** Encrypts the two words at `at` in place. */
  encrypt(words: Uint32Array, at: number): void {
    let left = words[at]! ^ this.#keys[0]!;
    let right = words[at + 1]!;
    for (let i = 1; i <= rounds; i += 2) {
      right ^= this.#mix(left) ^ this.#keys[i]!;
      left ^= this.#mix(right) ^ this.#keys[i + 1]!;
    }
    words[at] = right ^ this.#keys[rounds + 1]!;
    words[at + 1] = left;
  }

  /** Mixes a key and, when given, a salt into subkeys and boxes. */
  expand(key: Uint8Array, salt: Uint32Array): void {
    let at = 0;
    for (let i = 0; i < this.#keys.length; i++) {
      let word = 0;
      for (let k = 0; k < 4; k++) word = (word << 8) | key[at++ % key.length]!;
      this.#keys[i]! ^= word;
    }
    const block = new Uint32Array(2);
    let word = 0;
    for (const table of [this.#keys, this.#boxes]) {
      for (let i = 0; i < table.length; i += 2) {
        block[0]! ^= salt[word]!;
        block[1]! ^= salt[word + 1]!;
        word = (word + 2) % 4;
        this.encrypt(block, 0);
        table[i] = block[0]!;
        table[i + 1] = block[1]!;
      }
    }
  }
}

function encode(bytes: Uint8Array, length: number): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let shift = 18; shift >= 0; shift -= 6) text += alphabet[(word >> shift) & 63]!;
  }
  return text.slice(0, length);
}

/** `$2a$10$…`: the hash of a password (up to 72 bytes count) with 16 bytes of salt; `cost` is 4 to 31. */
export function bcryptHash(password: Uint8Array, cost: number, salt: Uint8Array): string {
  const key = new Uint8Array(Math.min(password.length + 1, 72));
  key.set(password.subarray(0, 72));
  const view = new DataView(salt.buffer, salt.byteOffset, 16);
  const saltWords = Uint32Array.from({ length: 4 }, (_, i) => view.getUint32(i * 4));
  const none = new Uint32Array(4);
  const cipher = new Blowfish();
  cipher.expand(key, saltWords);
  const saltBytes = salt.subarray(0, 16);
  for (let left = 2 ** cost; left > 0; left--) {
    cipher.expand(key, none);
    cipher.expand(saltBytes, none);
  }
  const text = new TextEncoder().encode('OrpheanBeholderScryDoubt');
  const textView = new DataView(text.buffer);
  const words = Uint32Array.from({ length: 6 }, (_, i) => textView.getUint32(i * 4));
  for (let i = 0; i < 64; i++) for (let at = 0; at < words.length; at += 2) cipher.encrypt(words, at);
  const digest = new Uint8Array(24);
  const out = new DataView(digest.buffer);
  words.forEach((word, i) => {
    out.setUint32(i * 4, word);
  });
  const shown = String(cost).padStart(2, '0');
  return `$2a$${shown}$${encode(saltBytes, 22)}${encode(digest.subarray(0, 23), 31)}`;
}
