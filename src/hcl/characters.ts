// Character classes of the native syntax, over UTF-8 bytes.

/** Length of the character at `i`, as its first byte announces it and its continuation bytes confirm; 0 when broken. */
export function characterLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i]!;
  if (lead < 0x80) return 1;
  const length =
    lead >= 0xc0 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf7 ? 4 : 0;
  for (let k = 1; k < length; k++) {
    const next = bytes[i + k];
    if (next === undefined || (next & 0xc0) !== 0x80) return 0;
  }
  return length;
}

function codePoint(bytes: Uint8Array, i: number, length: number): number {
  let code = bytes[i]! & (0xff >> (length + 1));
  for (let k = 1; k < length; k++) code = (code << 6) | (bytes[i + k]! & 0x3f);
  return code;
}

const idStart = /^\p{ID_Start}$/u;
// Without the joiners and dots that Unicode 15.1 added.
const idContinue = /^(?!\u200c|\u200d|\u30fb|\uff65)\p{ID_Continue}$/u;

function isWide(bytes: Uint8Array, i: number, length: number, pattern: RegExp): boolean {
  const code = codePoint(bytes, i, length);
  return code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) && pattern.test(String.fromCodePoint(code));
}

const isLetter = (byte: number): boolean => (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90);
export const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 48 && byte <= 57;

/** End of the identifier that starts at `i`, or `i` when none does. */
export function identifierEnd(bytes: Uint8Array, i: number): number {
  let at = i;
  const first = bytes[at];
  if (first === undefined) return i;
  if (isLetter(first) || first === 95) at++;
  else if (first > 127) {
    const length = characterLength(bytes, at);
    if (length === 0 || !isWide(bytes, at, length, idStart)) return i;
    at += length;
  } else return i;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined) return at;
    if (isLetter(byte) || isDigit(byte) || byte === 95 || byte === 45) at++;
    else if (byte > 127) {
      const length = characterLength(bytes, at);
      if (length === 0 || !isWide(bytes, at, length, idContinue)) return at;
      at += length;
    } else return at;
  }
}

/**
 * End of the number that starts at the digit `i`: digits, dots and exponents, never ending in a dot. `1.2.3` is one
 * token too (and no number); `1..` ends before the dots.
 */
export function numberEnd(bytes: Uint8Array, i: number): number {
  let at = i + 1;
  let end = at;
  for (;;) {
    const byte = bytes[at];
    if (isDigit(byte)) end = ++at;
    else if (byte === 46) at++;
    else if (byte === 101 || byte === 69) {
      const sign = bytes[at + 1] === 43 || bytes[at + 1] === 45 ? 1 : 0;
      if (!isDigit(bytes[at + 1 + sign])) return end;
      at += 2 + sign;
      end = at;
    } else return end;
  }
}

const spaces = '[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const leadingSpaces = new RegExp(`^${spaces}`);
const trailingSpace = new RegExp(`${spaces.slice(0, -1)}$`);

/** Without white space in front; a byte order mark, which JavaScript counts as white space, is none. */
export const trimSpaceStart = (text: string): string => text.replace(leadingSpaces, '');

export function trimSpaceEnd(text: string): string {
  let end = text.length;
  while (end > 0 && trailingSpace.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}
