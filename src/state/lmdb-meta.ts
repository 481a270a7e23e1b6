/** The two meta pages of an LMDB file, and how its bytes are had. */

/** A file as bytes that may be missing. */
export interface PageSource {
  readonly size: number;
  /** `undefined` where the range goes beyond the end. The bytes are right until the next read. */
  read(offset: number, length: number): Buffer | undefined;
}

export interface LmdbTree {
  readonly depth: number;
  /** Branches and leaves. */
  readonly pages: number;
  readonly entries: number;
  /** null: an empty tree. */
  readonly root: number | null;
}

export interface LmdbMeta {
  readonly pageSize: number;
  readonly mapSize: number;
  readonly free: LmdbTree;
  readonly main: LmdbTree;
  readonly lastPage: number;
  readonly transaction: number;
}

const metaLength = 168;
const magic = 0xbeefc0de;
const noRoot = 0xffff_ffff_ffff_ffffn;
const largestMap = 2 ** 46;

/** The meta page to go by, and what is wrong with either; null: neither is one (an empty or foreign file). */
export function readMetas(source: PageSource): {
  readonly meta: LmdbMeta | null;
  readonly problems: readonly string[];
} {
  const first = readMeta(source, 0);
  const second = readMeta(source, typeof first === 'string' ? 4096 : first.pageSize);
  const problems = [first, second].filter((meta) => typeof meta === 'string');
  const metas = [first, second]
    .filter((meta) => typeof meta !== 'string')
    .sort((a, b) => b.transaction - a.transaction);
  const rooted = metas.filter((meta) => hasItsRoot(source, meta));
  if (rooted.length < metas.length) problems.push('a meta page is of another transaction than the root of its rows');
  return { meta: rooted[0] ?? metas[0] ?? null, problems };
}

/** Each transaction of ours writes a row, so the root of the rows belongs to it: else the transaction's number is not this page's. */
function hasItsRoot(source: PageSource, { main, pageSize, transaction }: LmdbMeta): boolean {
  if (main.root === null) return true;
  const root = source.read(main.root * pageSize, 24);
  return root !== undefined && Number(root.readBigUInt64LE(8)) === transaction;
}

function readMeta(source: PageSource, offset: number): LmdbMeta | string {
  const page = source.read(offset, metaLength);
  const name = `the meta page at ${offset}`;
  if (page === undefined) return `${name} is missing: the file is ${source.size} bytes long`;
  if (page.readUInt16LE(18) !== 0x08 || page.readUInt32LE(24) !== magic || page.readUInt32LE(28) !== 2) {
    return `${name} is not one of LMDB's`;
  }
  const meta = decodeMeta(page);
  const { pageSize, lastPage } = meta;
  // The kinds of our two trees: page numbers by transaction, and rows by plain keys.
  if (page.readUInt16LE(52) !== 0x08 || page.readUInt16LE(100) !== 0) return `${name} tells of trees that are not ours`;
  const powerOfTwo = pageSize >= 512 && pageSize <= 32768 && (pageSize & (pageSize - 1)) === 0;
  if (!powerOfTwo || meta.mapSize > largestMap || (lastPage + 1) * pageSize > meta.mapSize || lastPage < 1) {
    return `${name} gives impossible sizes`;
  }
  return meta;
}

function decodeMeta(page: Buffer): LmdbMeta {
  return {
    mapSize: Number(page.readBigUInt64LE(40)),
    pageSize: page.readUInt32LE(48),
    free: decodeTree(page, 48),
    main: decodeTree(page, 96),
    lastPage: Number(page.readBigUInt64LE(144)),
    transaction: Number(page.readBigUInt64LE(152)),
  };
}

function decodeTree(page: Buffer, at: number): LmdbTree {
  const root = page.readBigUInt64LE(at + 40);
  return {
    depth: page.readUInt16LE(at + 6),
    pages: Number(page.readBigUInt64LE(at + 8) + page.readBigUInt64LE(at + 16)),
    entries: Number(page.readBigUInt64LE(at + 32)),
    root: root === noRoot ? null : Number(root),
  };
}
