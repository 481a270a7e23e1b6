/** SHA-256 (FIPS 180-4) for the floors that stand before `lib/node`; where Node's own is at hand it is faster. */

const fraction = (root: number) => Math.floor((root - Math.floor(root)) * 2 ** 32);
const primes = Array.from({ length: 312 }, (_, i) => i).filter(
  (n) => n > 1 && Array.from({ length: n - 2 }, (_, i) => i + 2).every((divisor) => n % divisor !== 0),
);
const roundConstants = Uint32Array.from(primes.slice(0, 64), (prime) => fraction(Math.cbrt(prime)));
const startState = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const blockBytes = 64;

const rotated = (word: number, by: number) => (word >>> by) | (word << (32 - by));

/** `""` → `"e3b0c442…"`: 64 hexadecimal digits of the text's UTF-8. */
export function sha256(text: string): string {
  const message = padded(new TextEncoder().encode(text));
  const state = Uint32Array.from(startState);
  for (let at = 0; at < message.byteLength; at += blockBytes) compress(state, new DataView(message.buffer, at));
  return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('');
}

/** A one bit, zeros, and the length in bits as the last 64 bits of a block. */
function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(Math.ceil((bytes.length + 9) / blockBytes) * blockBytes);
  message.set(bytes);
  message[bytes.length] = 0x80;
  new DataView(message.buffer).setBigUint64(message.length - 8, BigInt(bytes.length) * 8n);
  return message;
}

function compress(state: Uint32Array, block: DataView): void {
  const words = new Uint32Array(64);
  for (let i = 0; i < 64; i++) words[i] = i < 16 ? block.getUint32(i * 4) : nextWord(words, i);
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const mixed = (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g));
    const first = (h + mixed + roundConstants[i]! + words[i]!) | 0;
    const second = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    [a, b, c, d, e, f, g, h] = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = state[i]! + word;
  });
}

function nextWord(words: Uint32Array, i: number): number {
  const [early, late] = [words[i - 15]!, words[i - 2]!];
  const spread = rotated(early, 7) ^ rotated(early, 18) ^ (early >>> 3);
  return words[i - 16]! + spread + words[i - 7]! + (rotated(late, 17) ^ rotated(late, 19) ^ (late >>> 10));
}
