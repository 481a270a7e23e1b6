import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JournalContents } from './journal.ts';
import { lmdbJournal } from './lmdb-journal.ts';

const root = mkdtempSync(join(tmpdir(), 'drover-copy-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const whole = join(root, 'whole');
const rows = new Map<string, object>();
let places = 0;

beforeAll(async () => {
  const journal = lmdbJournal({ directory: whole });
  const { epoch } = await journal.load();
  let index = 0;
  for (let round = 0; round < 12; round++) {
    const changes = Array.from({ length: 10 }, (_, n) => {
      const id = `row-${(round * 7 + n * 3) % 60}`;
      return { table: 't', id, row: (round + n) % 5 === 0 ? null : { id, round, text: 'x'.repeat(100 + n * 300) } };
    });
    await journal.commit({ expectedIndex: index, epoch, index: ++index, changes });
    for (const { id, row } of changes) {
      if (row === null) rows.delete(id);
      else rows.set(id, row);
    }
  }
  await journal.close();
});

/** Starts on a copy of the directory after something was done to it. */
async function startAfter(
  harm: (directory: string) => void,
): Promise<{ contents: JournalContents; found: Map<string, object>; directory: string }> {
  const directory = join(root, String(++places));
  mkdirSync(directory);
  for (const name of ['data.mdb', 'commits.log']) copyFileSync(join(whole, name), join(directory, name));
  harm(directory);
  const journal = lmdbJournal({ directory });
  const contents = await journal.load();
  const found = new Map([...contents.rows].map(({ id, row }) => [id, row as object]));
  const { epoch, index } = contents;
  await journal.commit({
    expectedIndex: index,
    epoch,
    index: index + 1,
    changes: [{ table: 't', id: 'new', row: {} }],
  });
  await journal.close();
  const again = lmdbJournal({ directory });
  const second = await again.load();
  expect([second.damage, [...second.rows].length]).toEqual([[], found.size + 1]);
  await again.close();
  return { contents, found, directory };
}

describe('the second copy of the state', () => {
  it.each([0, 1, 4096, 8192, 20_000, 40_000])(
    'gives back every row when LMDB’s file is cut off after %i bytes',
    async (length) => {
      const { contents, found } = await startAfter((directory) => truncateSync(join(directory, 'data.mdb'), length));
      expect(found).toEqual(rows);
      expect(contents.damage[0]?.reason).toMatch(/restored from the second copy, which goes up to commit 12/);
      expect(contents.index).toBeGreaterThan(12);
    },
  );

  it('gives back every row when LMDB’s file is gone', async () => {
    const { contents, found } = await startAfter((directory) => rmSync(join(directory, 'data.mdb')));
    expect(found).toEqual(rows);
    expect(contents.damage).toHaveLength(1);
  });

  it('gives back a single damaged row', async () => {
    const { contents, found } = await startAfter((directory) => {
      const file = join(directory, 'data.mdb');
      const bytes = readFileSync(file);
      const at = bytes.lastIndexOf('"round":11');
      bytes.writeUInt8(bytes.readUInt8(at + 9) ^ 1, at + 9);
      writeFileSync(file, bytes);
    });
    expect(found).toEqual(rows);
    expect(contents.damage).toMatchObject([{ table: 't', reason: expect.stringMatching(/checksum.*restored/) }]);
  });

  it('counts for nothing while LMDB’s file is whole, however damaged it is itself', async () => {
    const { size } = statSync(join(whole, 'commits.log'));
    for (let length = 0; length < size; length += Math.ceil(size / 25)) {
      const { contents, found, directory } = await startAfter((place) =>
        truncateSync(join(place, 'commits.log'), length),
      );
      expect([contents.damage, contents.index]).toEqual([[], 12]);
      expect(found).toEqual(rows);
      // It was made anew: now it could stand in.
      truncateSync(join(directory, 'data.mdb'), 5000);
      const journal = lmdbJournal({ directory });
      const restored = new Map([...(await journal.load()).rows].map(({ id, row }) => [id, row as object]));
      expect(restored).toEqual(new Map([...rows, ['new', {}]]));
      await journal.close();
    }
  });

  it.each([1, 12, 4096])(
    'counts for nothing where a power cut left %i zeros at its end, as file systems do',
    async (zeros) => {
      const { contents, found } = await startAfter((directory) =>
        appendFileSync(join(directory, 'commits.log'), Buffer.alloc(zeros)),
      );
      expect([contents.damage, contents.index]).toEqual([[], 12]);
      expect(found).toEqual(rows);
    },
  );

  it('gives back what it has up to its own damage when both are damaged', async () => {
    const { size } = statSync(join(whole, 'commits.log'));
    const { contents, found } = await startAfter((directory) => {
      truncateSync(join(directory, 'data.mdb'), 5000);
      const file = join(directory, 'commits.log');
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(size >> 1) ^ 1, size >> 1);
      writeFileSync(file, bytes);
    });
    expect(contents.damage.length).toBeGreaterThan(0);
    expect(found.size).toBeGreaterThan(5);
  });

  it('is written anew when it has grown, while commits go on', async () => {
    const directory = join(root, String(++places));
    const journal = lmdbJournal({ directory, logLimitBytes: 50_000 });
    const { epoch } = await journal.load();
    for (let index = 0; index < 400; index++) {
      const row = { index, text: 'y'.repeat(500) };
      await journal.commit({
        expectedIndex: index,
        epoch,
        index: index + 1,
        changes: [{ table: 't', id: `row-${index % 20}`, row }],
      });
    }
    await journal.close();
    expect(statSync(join(directory, 'commits.log')).size).toBeLessThan(150_000);
    expect(existsSync(join(directory, 'commits.log.new'))).toBe(false);
    truncateSync(join(directory, 'data.mdb'), 100);
    const again = lmdbJournal({ directory });
    const found = [...(await again.load()).rows]
      .map(({ row }) => (row as { index: number }).index)
      .sort((a, b) => a - b);
    expect(found).toEqual(Array.from({ length: 20 }, (_, n) => 380 + n));
    await again.close();
  });
});
