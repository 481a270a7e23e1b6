const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const digits = new Map([...alphabet].map((char, i) => [char, i]));

export function base64Encode(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const left = bytes.length - i;
    parts.push(
      alphabet[word >> 18]! +
        alphabet[(word >> 12) & 63]! +
        (left > 1 ? alphabet[(word >> 6) & 63]! : '=') +
        (left > 2 ? alphabet[word & 63]! : '='),
    );
  }
  return parts.join('');
}

/** Padded standard base64; line ends in it are skipped. Nothing for any other text. */
export function base64Decode(text: string): Uint8Array | undefined {
  const chars = text.replace(/[\r\n]/g, '');
  if (chars.length % 4 !== 0) return undefined;
  const padding = chars.endsWith('==') ? 2 : chars.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((chars.length / 4) * 3 - padding);
  let at = 0;
  for (let i = 0; i < chars.length; i += 4) {
    let word = 0;
    for (let k = 0; k < 4; k++) {
      const digit = i + k >= chars.length - padding ? 0 : digits.get(chars[i + k]!);
      if (digit === undefined) return undefined;
      word = (word << 6) | digit;
    }
    for (let k = 16; k >= 0 && at < bytes.length; k -= 8) bytes[at++] = (word >> k) & 255;
  }
  return bytes;
}
