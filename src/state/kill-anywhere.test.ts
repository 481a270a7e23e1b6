import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lmdbJournal } from './lmdb-journal.ts';
import { openStore } from './open-store.ts';

interface Tables {
  readonly rows: { readonly n: number; readonly text: string };
}

const root = mkdtempSync(join(tmpdir(), 'drover-kill-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The files as a process killed now would leave them: what it handed to the kernel is there, whatever it was about to write is not. */
interface Image {
  readonly acknowledged: number;
  readonly data: Buffer;
  readonly log: Buffer;
}

/** At the very beginning it is not there yet. */
function readLog(directory: string): Buffer {
  const file = join(directory, 'commits.log');
  return existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
}

describe('an agent killed at any moment', () => {
  it('finds every acknowledged write again, in whole commits, and nothing damaged', async () => {
    const directory = join(root, 'live');
    const { store } = await openStore<Tables>({
      tables: { rows: {} },
      journal: lmdbJournal({ directory, logLimitBytes: 100_000 }),
    });
    const images: Image[] = [];
    let acknowledged = 0;
    let writing = true;
    const observe = async (): Promise<void> => {
      for (let turn = 0; writing; turn++) {
        await new Promise(setImmediate);
        if (turn % 3 !== 0 || images.length >= 150) continue;
        const before = acknowledged;
        images.push({
          acknowledged: before,
          data: readFileSync(join(directory, 'data.mdb')),
          log: readLog(directory),
        });
      }
    };
    const observing = observe();
    for (let n = 1; n <= 300; n++) {
      // Each write sets two rows to the same number: a commit that is there only by half would show.
      const row = { n, text: 'z'.repeat((n * 131) % 6000) };
      const changes = ['a', 'b'].map((half) => ({ table: 'rows', id: `${half}${n % 40}`, row }) as const);
      const last = { table: 'rows', id: 'last', row: { n, text: '' } } as const;
      await store.write(() => ({ changes: [...changes, last], result: null }));
      acknowledged = n;
    }
    writing = false;
    await observing;
    await store.close();
    expect(images.length).toBeGreaterThan(50);
    for (const [at, image] of images.entries()) {
      const place = join(root, String(at));
      mkdirSync(place);
      writeFileSync(join(place, 'data.mdb'), image.data);
      writeFileSync(join(place, 'commits.log'), image.log);
      const opened = await openStore<Tables>({ tables: { rows: {} }, journal: lmdbJournal({ directory: place }) });
      const snapshot = opened.store.snapshot();
      expect(opened.damage).toEqual([]);
      expect(snapshot.get('rows', 'last')?.n ?? 0).toBeGreaterThanOrEqual(image.acknowledged);
      expect(snapshot.index).toBe(snapshot.get('rows', 'last')?.n ?? 0);
      for (let id = 0; id < 40; id++) expect(snapshot.get('rows', `a${id}`)).toEqual(snapshot.get('rows', `b${id}`));
      await opened.store.close();
      rmSync(place, { recursive: true });
    }
  }, 60_000);
});
