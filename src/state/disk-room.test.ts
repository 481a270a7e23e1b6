import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pagesFor, type RecordSize } from './disk-room.ts';
import type { JournalChange } from './journal.ts';
import { lmdbJournal } from './lmdb-journal.ts';
import { type LmdbMeta, readMetas } from './lmdb-meta.ts';
import { encodeRecord, recordKey } from './record.ts';

const change = fc.record({
  id: fc.integer({ min: 0, max: 400 }).map((n) => `${n}`.padEnd(1 + (n % 7) * 60, '-')),
  length: fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.integer({ min: 1500, max: 5000 }),
    fc.integer({ min: 0, max: 100_000 }),
    fc.constant(null),
  ),
});
const commits = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.array(change, { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: fc.array(change, { minLength: 1, maxLength: 200 }) },
  ),
  { minLength: 1, maxLength: 40 },
);

function metaOf(file: string): LmdbMeta {
  const bytes = readFileSync(file);
  return readMetas({ size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) }).meta!;
}

it('is as many pages as a commit can take, whatever is in it and in the file', async () => {
  await fc.assert(
    fc.asyncProperty(commits, async (list) => {
      const directory = mkdtempSync(join(tmpdir(), 'drover-room-'));
      const file = join(directory, 'data.mdb');
      const journal = lmdbJournal({ directory });
      let { index, epoch } = await journal.load();
      for (const each of list) {
        const before = metaOf(file);
        const changes = each.map(({ id, length }): JournalChange => {
          return { table: 'rows', id, row: length === null ? null : { text: 'x'.repeat(length) } };
        });
        index = await journal.commit({ expectedIndex: index, epoch, index: index + 1, changes });
        const sizes = changes.map((one): RecordSize => {
          return {
            key: recordKey(one.table, one.id).length,
            value: one.row === null ? 0 : encodeRecord(one, index).length,
          };
        });
        const after = metaOf(file);
        const progress = { key: 20, value: 100 };
        expect(after.lastPage - before.lastPage).toBeLessThanOrEqual(pagesFor([...sizes, progress], before));
        expect(statSync(file).size).toBeGreaterThan((after.lastPage + 1) * after.pageSize);
      }
      await journal.close();
      rmSync(directory, { recursive: true });
    }),
    { numRuns: 60 },
  );
});
