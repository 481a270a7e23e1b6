/**
 * The encoded bytes of list rows, kept as long as the row lives and there is room. A row is frozen and replaced whole when it changes,
 * so its bytes are right for as long as it exists.
 */
export interface RowCache {
  /** The bytes of the row in the named form, from the cache or encoded now. */
  bytes(form: string, row: object, encode: () => Buffer): Buffer;
}

/** `maximumBytes` counts what was taken in since the last clearing, dead rows included. */
export function createRowCache(maximumBytes: number): RowCache {
  let forms = new Map<string, WeakMap<object, Buffer>>();
  let taken = 0;
  let lookups = 0;
  let misses = 0;
  // Full, and mostly missing: what is kept is of rows that are gone. Begin again.
  const clearIfStale = () => {
    if (lookups < 10_000) return;
    if (taken >= maximumBytes && misses * 2 > lookups) {
      forms = new Map();
      taken = 0;
    }
    lookups = 0;
    misses = 0;
  };
  return {
    bytes(form, row, encode) {
      let rows = forms.get(form);
      if (rows === undefined) {
        rows = new WeakMap();
        forms.set(form, rows);
      }
      lookups++;
      const kept = rows.get(row);
      if (kept !== undefined) return kept;
      misses++;
      const bytes = encode();
      if (taken + bytes.length + perRowBytes <= maximumBytes) {
        taken += bytes.length + perRowBytes;
        rows.set(row, bytes);
      }
      clearIfStale();
      return bytes;
    },
  };
}

/** A Buffer's own size and its place in the map. */
const perRowBytes = 120;
