import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { isFault } from '../lib/fault.ts';
import { lastLoggedIndex } from './commit-log.ts';
import { type LmdbJournalOptions, lmdbJournal } from './lmdb-journal.ts';
import { openStore } from './open-store.ts';
import type { Store } from './store.ts';

type Tables = { readonly rows: { readonly text: string } };

const root = mkdtempSync(join(tmpdir(), 'drover-full-'));
const disk = join(root, 'disk');
const ballast = join(disk, 'ballast');
const over = join(root, 'over');
for (const directory of [disk, over]) mkdirSync(directory);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0;
afterEach(() => {
  for (const name of ['state', 'ballast', 'upper', 'work']) rmSync(join(disk, name), { recursive: true, force: true });
});
afterAll(() => {
  if (mounted) spawnSync('umount', [disk]);
  rmSync(root, { recursive: true, force: true });
});

const open = async (options: Partial<LmdbJournalOptions> = {}) => {
  const journal = lmdbJournal({ directory: join(disk, 'state'), ...options });
  return (await openStore<Tables>({ tables: { rows: {} }, journal })).store;
};

/** Why it was refused; undefined: it was not. */
const refusalOf = (store: Store<Tables>, id: string, text = 'x'.repeat(8000)): Promise<unknown> =>
  store
    .write(() => ({ changes: [{ table: 'rows', id, row: { text } }], result: null }))
    .then(
      () => undefined,
      (error: unknown) => error,
    );

/** The journal's own refusal: LMDB was not asked. */
function expectNotAsked(refusal: unknown, code: string): void {
  expect(isFault(refusal, 'unavailable')).toBe(true);
  let cause = refusal as { readonly code?: unknown; readonly cause?: unknown };
  while (cause.cause !== undefined) cause = cause.cause as typeof cause;
  expect(cause.code).toBe(code);
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  try {
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  } catch (error) {
    // the second copy took some of it
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
  }
}

// A small disk of its own needs the right to mount.
describe.skipIf(!mounted)('a full disk', () => {
  it('refuses writes with the reason, keeps what was acknowledged, and takes writes again when there is room', async () => {
    let store = await open();
    writeFileSync(ballast, Buffer.alloc(300_000));
    const kept: string[] = [];
    let refusal: unknown;
    for (let n = 0; n < 200 && refusal === undefined; n++) {
      const id = `row${String(n).padStart(3, '0')}`;
      refusal = await refusalOf(store, id);
      if (refusal === undefined) kept.push(id);
    }
    expectNotAsked(refusal, 'ENOSPC');
    expect((refusal as Error).message).toMatch(/no space is left/);
    expect(kept.length).toBeGreaterThan(10);
    expect(store.snapshot().count('rows')).toBe(kept.length);
    rmSync(ballast);
    expect(await refusalOf(store, 'when-there-is-room', 'y')).toBeUndefined();
    const { index } = store.snapshot();
    await store.close();
    store = await open();
    expect(store.snapshot().index).toBe(index);
    expect(store.snapshot().count('rows')).toBe(kept.length + 1);
    expect(store.snapshot().get('rows', 'when-there-is-room')).toEqual({ text: 'y' });
    await store.close();
  });

  it('that others fill while a commit is under way does not reach LMDB', async () => {
    const store = await open();
    let taken = 0;
    for (let n = 0; n < 30; n++) {
      const under = refusalOf(store, `row${n}`, 'x'.repeat(n * 500));
      if (n % 2 === 1) await new Promise(setImmediate);
      fill();
      const refusal = await under;
      if (refusal === undefined) taken++;
      else expectNotAsked(refusal, 'ENOSPC');
      expectNotAsked(await refusalOf(store, 'large', 'x'.repeat(500_000)), 'ENOSPC');
      rmSync(ballast);
    }
    expect(taken).toBeGreaterThan(0);
    await store.close();
  });

  it('takes what the file has room for, and has its second copy again when there is room', async () => {
    const failures: unknown[] = [];
    const store = await open({ copyFailed: (error) => failures.push(error), copyRetryMs: 0 });
    expect(await refusalOf(store, 'before')).toBeUndefined();
    fill();
    for (let n = 0; n < 20; n++) expect(await refusalOf(store, `row${n % 3}`, `${n}`.repeat(100))).toBeUndefined();
    expect(failures.length).toBeGreaterThan(0);
    rmSync(ballast);
    await vi.waitFor(async () => {
      expect(await refusalOf(store, 'after', 'y')).toBeUndefined();
      expect(lastLoggedIndex(join(disk, 'state/commits.log'))?.index).toBe(store.snapshot().index);
    });
    await store.close();
    rmSync(join(disk, 'state/data.mdb'));
    const again = await open();
    expect(again.snapshot().get('rows', 'row1')).toEqual({ text: '19'.repeat(100) });
    expect(again.snapshot().count('rows')).toBe(5);
    await again.close();
  });

  it('refuses all of them where the file system does not write in place', async () => {
    const [upper, work] = [join(disk, 'upper'), join(disk, 'work')];
    for (const each of [upper, work]) mkdirSync(each);
    mkdirSync(join(root, 'empty'));
    run('mount', '-t', 'overlay', '-o', `lowerdir=${root}/empty,upperdir=${upper},workdir=${work}`, 'overlay', over);
    const store = await open({ directory: join(over, 'state') });
    expect(await refusalOf(store, 'before')).toBeUndefined();
    fill();
    expectNotAsked(await refusalOf(store, 'row', 'y'), 'ENOSPC');
    rmSync(ballast);
    expect(await refusalOf(store, 'row', 'y')).toBeUndefined();
    await store.close();
    run('umount', over);
  });

  it('takes no new state, and opens one that is there', async () => {
    fill();
    await expect(open()).rejects.toThrow(/cannot open the state in .*: no space is left/);
    rmSync(ballast);
    let store = await open();
    expect(await refusalOf(store, 'kept')).toBeUndefined();
    await store.close();
    fill();
    store = await open();
    expect(store.snapshot().count('rows')).toBe(1);
    expect(await refusalOf(store, 'kept', 'y')).toBeUndefined();
    await store.close();
  });

  it('that became read-only refuses writes until it takes them again', async () => {
    const store = await open();
    // the kernel makes no mount read-only while a file on it is open for writing, but one of the same disk above it
    run('mount', '--bind', disk, disk);
    run('mount', '-o', 'remount,bind,ro', disk);
    const refusal = await refusalOf(store, 'row');
    run('umount', disk);
    expectNotAsked(refusal, 'EROFS');
    expect(await refusalOf(store, 'row')).toBeUndefined();
    await store.close();
  });
});
