import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { FakeDisk, fakeJournal } from './fake-journal.ts';
import { journalConformance } from './journal-conformance.ts';
import { lmdbJournal } from './lmdb-journal.ts';

const root = mkdtempSync(join(tmpdir(), 'drover-journals-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let places = 0;

journalConformance('LMDB', () => {
  const directory = join(root, String(++places));
  return { shared: false, open: () => lmdbJournal({ directory }) };
});

journalConformance('the fake', () => {
  const disk = new FakeDisk();
  return { shared: true, open: () => fakeJournal({ disk, maxCommitBytes: 1_000_000 }) };
});
