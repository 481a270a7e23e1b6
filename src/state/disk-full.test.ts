import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isFault } from '../lib/fault.ts';
import { lmdbJournal } from './lmdb-journal.ts';
import { openStore } from './open-store.ts';

interface Tables {
  readonly rows: { readonly text: string };
}

const root = mkdtempSync(join(tmpdir(), 'drover-full-'));
const disk = join(root, 'disk');
mkdirSync(disk);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0;
afterAll(() => {
  if (mounted) spawnSync('umount', [disk]);
  rmSync(root, { recursive: true, force: true });
});

// A small disk of its own needs the right to mount.
describe.skipIf(!mounted)('a full disk', () => {
  it('refuses writes with the reason, keeps what was acknowledged, and takes writes again when there is room', async () => {
    const directory = join(disk, 'state');
    const ballast = join(disk, 'ballast');
    const open = async () =>
      (await openStore<Tables>({ tables: { rows: {} }, journal: lmdbJournal({ directory }) })).store;
    let store = await open();
    writeFileSync(ballast, Buffer.alloc(300_000));
    const kept: string[] = [];
    let refusal: unknown;
    for (let n = 0; n < 200 && refusal === undefined; n++) {
      const change = {
        table: 'rows',
        id: `row${String(n).padStart(3, '0')}`,
        row: { text: 'x'.repeat(8000) },
      } as const;
      await store
        .write(() => ({ changes: [change], result: null }))
        .then(
          () => kept.push(change.id),
          (error: unknown) => {
            refusal = error;
          },
        );
    }
    expect(isFault(refusal, 'unavailable') && refusal.message).toMatch(/no space is left/);
    expect(kept.length).toBeGreaterThan(10);
    expect(store.snapshot().count('rows')).toBe(kept.length);
    rmSync(ballast);
    const after = { table: 'rows', id: 'when-there-is-room', row: { text: 'y' } } as const;
    await store.write(() => ({ changes: [after], result: null }));
    const { index } = store.snapshot();
    await store.close();
    store = await open();
    expect(store.snapshot().index).toBe(index);
    expect(store.snapshot().count('rows')).toBe(kept.length + 1);
    expect(store.snapshot().get('rows', 'when-there-is-room')).toEqual({ text: 'y' });
    await store.close();
  });
});
