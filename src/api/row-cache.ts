/**
 * The encoded bytes of list rows, kept as long as the row lives and there is room. A row is frozen and replaced whole when it changes,
 * so its bytes are right for as long as it exists.
 *
 * Rows are written one after the other into slabs, a comma before each: rows that stand beside each other in a list mostly stand beside
 * each other in a slab too, and are sent from there as one piece, without a copy.
 */

/** Where a row's text stands: `slab[start … end)`; the byte before it is a comma. */
export interface Place {
  readonly slab: Buffer;
  readonly start: number;
  readonly end: number;
}

export interface RowCache {
  /** Whether rows that are not known yet may still be kept. */
  readonly hasRoom: boolean;
  /** The row's place in the named form, known or made now. `otherwise` takes rows for which there is no room. */
  place<Row extends object>(form: string, row: Row, encode: (row: Row) => string, otherwise: SlabWriter): Place;
}

/** Writes texts into slabs of one size; a longer text gets one of its own. */
export class SlabWriter {
  readonly #size: number;
  readonly #began: (slab: Buffer) => void;
  #slab = Buffer.alloc(0);
  #used = 0;

  /** `began` is told of every new slab. */
  constructor(size: number, began: (slab: Buffer) => void = () => {}) {
    this.#size = size;
    this.#began = began;
  }

  /** Whether a text of so many bytes goes into the slab that is there. */
  fits(bytes: number): boolean {
    return bytes < this.#slab.length - this.#used;
  }

  /** `bytes`: of the text in UTF-8. */
  add(text: string, bytes = Buffer.byteLength(text)): Place {
    if (!this.fits(bytes)) this.#begin(1 + bytes);
    const slab = this.#slab;
    slab[this.#used] = 0x2c;
    const start = this.#used + 1;
    // as many bytes as characters: copied as it is, several times as fast as by a converter
    const end = start + slab.write(text, start, bytes === text.length ? 'latin1' : 'utf8');
    this.#used = end;
    return { slab, start, end };
  }

  #begin(bytes: number): void {
    this.#slab = Buffer.allocUnsafeSlow(Math.max(this.#size, bytes));
    this.#used = 0;
    this.#began(this.#slab);
  }
}

const slabBytes = 1024 * 1024;

/** One life of the cache: the slabs of rows that are gone leave `held` when they are collected. */
interface Generation {
  readonly forms: Map<string, { readonly places: WeakMap<object, Place>; readonly writer: SlabWriter }>;
  held: number;
}

/** `maximumBytes` counts whole slabs: also what rows that are gone left in slabs of rows that live. */
export function createRowCache(maximumBytes: number): RowCache {
  const collected = new FinalizationRegistry<{ readonly generation: Generation; readonly bytes: number }>(
    ({ generation, bytes }) => {
      generation.held -= bytes;
    },
  );
  let generation: Generation = { forms: new Map(), held: 0 };
  let lookups = 0;
  let misses = 0;
  const formOf = (form: string) => {
    const known = generation.forms.get(form);
    if (known !== undefined) return known;
    const own = generation;
    const writer = new SlabWriter(slabBytes, (slab) => {
      own.held += slab.length;
      collected.register(slab, { generation: own, bytes: slab.length });
    });
    const made = { places: new WeakMap<object, Place>(), writer };
    own.forms.set(form, made);
    return made;
  };
  // Full, and mostly missing: what is kept is of rows that are gone. Begin again.
  const clearIfStale = () => {
    if (lookups < 10_000) return;
    if (generation.held >= maximumBytes && misses * 2 > lookups) generation = { forms: new Map(), held: 0 };
    lookups = 0;
    misses = 0;
  };
  return {
    get hasRoom() {
      return generation.held < maximumBytes;
    },
    place(form, row, encode, otherwise) {
      const { places, writer } = formOf(form);
      lookups++;
      const kept = places.get(row);
      if (kept !== undefined) return kept;
      misses++;
      const text = encode(row);
      const bytes = Buffer.byteLength(text);
      const hasRoom = generation.held < maximumBytes || writer.fits(bytes);
      const place = (hasRoom ? writer : otherwise).add(text, bytes);
      if (hasRoom) places.set(row, place);
      clearIfStale();
      return place;
    },
  };
}
