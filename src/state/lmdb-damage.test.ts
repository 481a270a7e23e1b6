import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JournalContents } from './journal.ts';
import { readLmdbFile } from './lmdb-file.ts';
import { lmdbJournal } from './lmdb-journal.ts';

const root = mkdtempSync(join(tmpdir(), 'drover-damage-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let places = 0;

/** The rows of a file like an agent's: many commits, large rows on overflow pages, pages used again after deletions. */
let whole: Buffer;
const rows = new Map<string, object>();

beforeAll(async () => {
  const directory = join(root, 'whole');
  const journal = lmdbJournal({ directory });
  const { epoch } = await journal.load();
  let index = 0;
  for (let round = 0; round < 12; round++) {
    const changes = Array.from({ length: 10 }, (_, n) => {
      const id = `row-${(round * 7 + n * 3) % 60}`;
      const row = (round + n) % 5 === 0 ? null : { id, round, text: 'x'.repeat(n === 4 ? 9000 : 100 + n * 40) };
      return { table: 't', id, row };
    });
    await journal.commit({ expectedIndex: index, epoch, index: ++index, changes });
    for (const { id, row } of changes) {
      if (row === null) rows.delete(id);
      else rows.set(id, row);
    }
  }
  await journal.close();
  whole = readFileSync(join(directory, 'data.mdb'));
});

/** Starts on the given bytes, as an agent would, and goes on writing. */
async function start(
  bytes: Buffer,
): Promise<{ contents: JournalContents; found: Map<string, object>; directory: string }> {
  const directory = join(root, String(++places));
  const first = lmdbJournal({ directory });
  await first.load();
  await first.close();
  writeFileSync(join(directory, 'data.mdb'), bytes);
  const journal = lmdbJournal({ directory });
  const contents = await journal.load();
  const found = new Map([...contents.rows].map(({ id, row }) => [id, row as object]));
  const { epoch, index } = contents;
  const change = { table: 't', id: 'new', row: { after: 'damage' } };
  await journal.commit({ expectedIndex: index, epoch, index: index + 1, changes: [change] });
  await journal.close();
  const again = lmdbJournal({ directory });
  const second = await again.load();
  expect(second.damage).toEqual([]);
  expect(new Map([...second.rows].map(({ id, row }) => [id, row]))).toEqual(new Map([...found, ['new', change.row]]));
  await again.close();
  return { contents, found, directory };
}

/** No row that was never there, none with other contents; what is missing is not passed over in silence. */
function expectHonest(contents: Pick<JournalContents, 'damage'>, found: ReadonlyMap<string, object>): void {
  for (const [id, row] of found) expect(row).toEqual(rows.get(id));
  if (found.size < rows.size) expect(contents.damage.length).toBeGreaterThan(0);
}

describe('a damaged LMDB file', () => {
  it('is read whole when nothing is wrong with it', async () => {
    const { contents, found } = await start(whole);
    expect(contents.damage).toEqual([]);
    expect(found).toEqual(rows);
  });

  it('loses exactly the row whose bytes were changed, and keeps the original aside', async () => {
    const bytes = Buffer.from(whole);
    const at = bytes.lastIndexOf('"round":11');
    bytes.writeUInt8(bytes.readUInt8(at + 9) ^ 1, at + 9);
    const { contents, found, directory } = await start(bytes);
    expect(contents.damage).toMatchObject([{ table: 't', reason: 'the checksum does not match' }]);
    expect(found.size).toBe(rows.size - 1);
    expect(found.has(contents.damage[0]!.id)).toBe(false);
    expect(readFileSync(contents.damage[0]!.keptAt)).toEqual(bytes);
    expect(readdirSync(directory).filter((name) => name.startsWith('damaged-'))).toHaveLength(1);
  });

  it('keeps all rows when a branch page above them is lost', async () => {
    const bytes = Buffer.from(whole);
    const pages = bytes.length / 4096;
    const branches = Array.from({ length: pages }, (_, page) => page).filter(
      (page) => page > 1 && bytes.readUInt16LE(page * 4096 + 18) === 1,
    );
    expect(branches.length).toBeGreaterThan(0);
    for (const page of branches) bytes.fill(0, page * 4096, (page + 1) * 4096);
    const { contents, found } = await start(bytes);
    expect(contents.damage.length).toBeGreaterThan(0);
    expect(found).toEqual(rows);
  });

  it.each([0, 1, 23, 4095, 4096, 8192, 12_288, 20_000])('starts on a file cut off after %i bytes', async (length) => {
    const { contents, found } = await start(whole.subarray(0, length));
    if (length > 0) expectHonest(contents, found);
  });

  it('starts on a file that is no LMDB file at all', async () => {
    const { contents, found } = await start(Buffer.from('this is a text file\n'.repeat(1000)));
    expect(contents.damage.length).toBeGreaterThan(0);
    expect(found.size).toBe(0);
  });

  it('never gives an index twice after damage', async () => {
    const { contents } = await start(whole.subarray(0, 12_288));
    expect(contents.index).toBeGreaterThanOrEqual(1000);
  });

  it('reads no wrong row wherever one bit is flipped or the end is cut off', () => {
    const read = (bytes: Buffer): { readonly keys: readonly string[]; readonly problems: readonly string[] } => {
      const size = bytes.length;
      const keys: string[] = [];
      const source = {
        size,
        read: (at: number, length: number) => (at + length > size ? undefined : bytes.subarray(at, at + length)),
      };
      const problems = readLmdbFile(source, (key) => keys.push(key.toString()));
      return { keys, problems };
    };
    const good = read(whole);
    expect(good.problems).toEqual([]);
    const count = new Set(good.keys).size;
    for (let bit = 0; bit < whole.length * 8; bit += 37) {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const { keys, problems } = read(bytes);
      // Structure said to be sound: all entries are there (their contents have checksums of their own).
      if (problems.length === 0) expect(keys.length).toBe(count);
    }
    for (let length = 0; length < whole.length; length += 61) {
      const { keys, problems } = read(whole.subarray(0, length));
      if (problems.length === 0) expect(keys.length).toBe(count);
    }
  });
});
