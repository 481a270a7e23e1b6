/**
 * Reads an LMDB data file (format version 2, little-endian, 64 bits) without LMDB: every page and offset is checked, so that no damage
 * to the file can crash the agent, as it would in LMDB's memory map. Native code opens only what was found sound here.
 *
 *   page 0, 1   meta: which trees there were after the last and the last but one transaction
 *   others      branch, leaf or overflow pages of two trees: the rows ("main") and the pages that may be used again ("free")
 *
 * Source: the published structure definitions of LMDB; a page is 4096 bytes unless the meta page says otherwise.
 */
import { type LmdbMeta, type PageSource, readMetas } from './lmdb-meta.ts';

/** Takes an entry; its bytes are right until the call ends. */
type TakeEntry = (key: Buffer, value: Buffer) => void;

const headerLength = 24;
const branchFlag = 0x01;
const leafFlag = 0x02;
const overflowFlag = 0x04;
const bigDataFlag = 0x01;
const maxDepth = 32;

/**
 * Everything that can be read of the file goes to `take`, in no particular order.
 * @returns what is wrong with the structure; nothing: LMDB may open it
 */
export function readLmdbFile(source: PageSource, take: TakeEntry): readonly string[] {
  const { meta, problems } = readMetas(source);
  if (meta === null) return problems;
  const pages = new PageUse(meta);
  const main = new TreeReader(source, meta, pages, (a, b) => a.compare(b), take);
  main.read(meta.main, 'rows');
  const lists: Buffer[] = [];
  const free = new TreeReader(source, meta, pages, compareNumbers, (_, list) => lists.push(Buffer.from(list)));
  free.read(meta.free, 'free pages');
  const all = [...problems, ...main.problems, ...free.problems];
  for (const list of lists) all.push(...pages.claimFree(list));
  if (all.length > 0 && free.problems.length === 0) readLostEntries(source, meta, pages, take);
  return all;
}

/** Leaf pages that are neither used nor free were in use before a page above them was damaged: LMDB knows of no third kind. */
function readLostEntries(source: PageSource, meta: LmdbMeta, pages: PageUse, take: TakeEntry): void {
  const found = new TreeReader(source, meta, pages, (a, b) => a.compare(b), take);
  for (let page = 2; page <= meta.lastPage; page++) if (!pages.isKnown(page)) found.readStray(page);
}

/** Which page belongs to what: each to one thing only. */
class PageUse {
  readonly #known = new Set<number>();
  readonly #meta: LmdbMeta;

  constructor(meta: LmdbMeta) {
    this.#meta = meta;
  }

  isKnown(page: number): boolean {
    return this.#known.has(page);
  }

  /** What is wrong with using these pages once more; undefined: nothing. */
  claim(first: number, count: number): string | undefined {
    if (!Number.isSafeInteger(first) || first < 2 || count < 1 || first + count - 1 > this.#meta.lastPage) {
      return `page ${first} (+${count}) is not in the file`;
    }
    for (let page = first; page < first + count; page++) {
      if (this.#known.has(page)) return `page ${page} is used twice`;
      this.#known.add(page);
    }
    return undefined;
  }

  /** A list of free pages: its length, then page numbers; a negative entry says how long the run at the next one is. */
  claimFree(list: Buffer): readonly string[] {
    const length = list.length < 8 ? -1 : Number(list.readBigInt64LE(0));
    if (length < 0 || list.length < 8 * (length + 1)) return ['a list of free pages is too short'];
    const problems: string[] = [];
    for (let at = 1; at <= length; at++) {
      const entry = Number(list.readBigInt64LE(8 * at));
      if (entry === 0) continue;
      if (entry < 0 && at === length) return [...problems, 'a run of free pages has no beginning'];
      const problem = entry > 0 ? this.claim(entry, 1) : this.claim(Number(list.readBigInt64LE(8 * ++at)), -entry);
      if (problem !== undefined) problems.push(problem);
    }
    return problems;
  }
}

/** What the keys below a page lie between: low ≤ key < high. */
interface Bounds {
  readonly low?: Buffer;
  readonly high?: Buffer;
}

class TreeReader {
  readonly problems: string[] = [];
  #entries = 0;
  readonly #source: PageSource;
  readonly #meta: LmdbMeta;
  readonly #pages: PageUse;
  readonly #compare: (a: Buffer, b: Buffer) => number;
  readonly #take: TakeEntry;
  readonly #copyOfLeaf: Buffer;

  constructor(
    source: PageSource,
    meta: LmdbMeta,
    pages: PageUse,
    compare: (a: Buffer, b: Buffer) => number,
    take: TakeEntry,
  ) {
    this.#take = take;
    this.#copyOfLeaf = Buffer.alloc(meta.pageSize);
    this.#source = source;
    this.#meta = meta;
    this.#pages = pages;
    this.#compare = compare;
  }

  read(tree: LmdbMeta['main'], name: string): void {
    if (tree.root === null) {
      if (tree.entries !== 0) this.problems.push(`the tree of ${name} has lost its root`);
      return;
    }
    this.#page(tree.root, tree.depth, Number.MAX_SAFE_INTEGER, {});
    if (this.#entries !== tree.entries) {
      this.problems.push(`the tree of ${name} has ${this.#entries} entries of ${tree.entries}`);
    }
  }

  /** A page nobody points to: its entries, where it is a leaf. */
  readStray(number: number): void {
    const page = this.#source.read(number * this.#meta.pageSize, this.#meta.pageSize);
    if (page?.readUInt16LE(18) === leafFlag && Number(page.readBigUInt64LE(0)) === number) this.#leaf(page, number, {});
  }

  #page(number: number, depth: number, newest: number, bounds: Bounds): void {
    const page = this.#readPage(number, depth, newest);
    if (typeof page === 'string') {
      this.problems.push(page);
      return;
    }
    if (depth === 1) {
      this.#leaf(page, number, bounds);
      return;
    }
    const transaction = Number(page.readBigUInt64LE(8));
    const children = this.#children(Buffer.from(page), number, bounds);
    for (const [at, child] of children.entries()) {
      const next = children[at + 1];
      // The first child of a page has no key of its own: it goes on from the page's lower bound.
      const low = at === 0 ? bounds.low : child.key;
      const high = next === undefined ? bounds.high : next.key;
      this.#page(child.page, depth - 1, transaction, { ...(low && { low }), ...(high && { high }) });
    }
  }

  /** A page that is what the one above it says, or what is wrong with it. */
  #readPage(number: number, depth: number, newest: number): Buffer | string {
    const { pageSize } = this.#meta;
    const problem = depth < 1 || depth > maxDepth ? `page ${number} is too deep` : this.#pages.claim(number, 1);
    if (problem !== undefined) return problem;
    const page = this.#source.read(number * pageSize, pageSize);
    if (page === undefined) return `page ${number} is missing: the file was cut off`;
    const isKind = page.readUInt16LE(18) === (depth === 1 ? leafFlag : branchFlag);
    const isOlder = Number(page.readBigUInt64LE(8)) <= newest;
    const isPlace = Number(page.readBigUInt64LE(0)) === number;
    return isKind && isOlder && isPlace ? page : `page ${number} is not what the page above it says`;
  }

  /** The offsets of a page's nodes; none where its header is broken. */
  #nodes(page: Buffer, number: number): readonly number[] {
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    const room = page.length - headerLength;
    if (lower % 2 !== 0 || lower > upper || upper > room) {
      this.problems.push(`page ${number} has a broken header`);
      return [];
    }
    const nodes: number[] = [];
    for (let at = 0; at < lower / 2; at++) {
      const node = page.readUInt16LE(headerLength + 2 * at) + headerLength;
      if (
        node < upper + headerLength ||
        node + 8 > page.length ||
        node + 8 + page.readUInt16LE(node + 6) > page.length
      ) {
        this.problems.push(`page ${number}: entry ${at} is broken`);
      } else nodes.push(node);
    }
    return nodes;
  }

  #children(page: Buffer, number: number, bounds: Bounds): readonly { readonly page: number; readonly key: Buffer }[] {
    const children = this.#nodes(page, number).map((node) => ({
      page: page.readUInt32LE(node) + page.readUInt16LE(node + 4) * 2 ** 32,
      key: page.subarray(node + 8, node + 8 + page.readUInt16LE(node + 6)),
    }));
    this.#checkOrder(
      children.slice(1).map((child) => child.key),
      number,
      bounds,
    );
    return children;
  }

  #checkOrder(keys: readonly Buffer[], number: number, { low, high }: Bounds): void {
    const [first, last] = [keys[0], keys.at(-1)];
    const inside =
      first === undefined ||
      last === undefined ||
      ((low === undefined || this.#compare(low, first) <= 0) && (high === undefined || this.#compare(last, high) < 0));
    const ascending = keys.every((key, at) => at === 0 || this.#compare(keys[at - 1]!, key) < 0);
    if (!inside || !ascending) this.problems.push(`page ${number} is out of order`);
  }

  #leaf(read: Buffer, number: number, bounds: Bounds): void {
    // what stands on overflow pages is read meanwhile
    const page = this.#copyOfLeaf;
    read.copy(page);
    const keys: Buffer[] = [];
    for (const node of this.#nodes(page, number)) {
      const size = page.readUInt32LE(node);
      const start = node + 8 + page.readUInt16LE(node + 6);
      const key = page.subarray(node + 8, start);
      keys.push(key);
      const flags = page.readUInt16LE(node + 4);
      const value =
        flags === bigDataFlag ? this.#overflow(page, start, size) : flags === 0 ? within(page, start, size) : undefined;
      if (value === undefined)
        this.problems.push(`page ${number}: the entry ${JSON.stringify(key.toString())} is broken`);
      else {
        this.#entries++;
        this.#take(key, value);
      }
    }
    this.#checkOrder(keys, number, bounds);
  }

  #overflow(page: Buffer, start: number, size: number): Buffer | undefined {
    if (start + 24 > page.length) return undefined;
    const { pageSize } = this.#meta;
    const number = Number(page.readBigUInt64LE(start));
    const count = Math.floor((headerLength - 1 + size) / pageSize) + 1;
    if (Number(page.readBigUInt64LE(start + 16)) !== count || this.#pages.claim(number, count) !== undefined)
      return undefined;
    const bytes = this.#source.read(number * pageSize, headerLength + size);
    if (bytes === undefined || bytes.readUInt16LE(18) !== overflowFlag || Number(bytes.readBigUInt64LE(0)) !== number)
      return undefined;
    return bytes.readUInt32LE(20) === count ? bytes.subarray(headerLength) : undefined;
  }
}

/** Keys of the tree of free pages are numbers in the machine's byte order. */
function compareNumbers(a: Buffer, b: Buffer): number {
  if (a.length !== 8 || b.length !== 8) return Number.NaN;
  return a.readBigUInt64LE(0) < b.readBigUInt64LE(0) ? -1 : a.equals(b) ? 0 : 1;
}

function within(page: Buffer, start: number, size: number): Buffer | undefined {
  return start + size > page.length ? undefined : page.subarray(start, start + size);
}
