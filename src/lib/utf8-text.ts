import { Fault } from './fault.ts';

/**
 * Bytes in UTF-8 → text, a byte order mark included. `Fault('invalid')` with line and column (in UTF-16 units, from 1) of
 * the first byte that is no UTF-8; what an editor saved as UTF-16 is named so.
 */
export function utf8Text(bytes: Uint8Array): string {
  if (isUtf16(bytes)) throw new Fault('invalid', 'line 1, column 1: the text is in UTF-16; save it as UTF-8');
  try {
    return decoder().decode(bytes);
  } catch {
    const before = decoder()
      .decode(bytes.subarray(0, goodBytes(bytes)), { stream: true })
      .split('\n');
    const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
    throw new Fault('invalid', `${place}: the text is not UTF-8 here; save it with that encoding`);
  }
}

/** By its byte order mark. */
export const isUtf16 = ([a, b]: Uint8Array): boolean => (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);

const decoder = () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** How many bytes come before the first that is wrong. */
function goodBytes(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    try {
      decoder().decode(bytes.subarray(0, middle), { stream: true });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  return good;
}
