import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { isFault } from '../lib/fault.ts';
import { lmdbJournal } from './lmdb-journal.ts';
import { openStore } from './open-store.ts';
import type { Store } from './store.ts';

type Tables = { readonly rows: { readonly text: string } };

const root = mkdtempSync(join(tmpdir(), 'drover-full-'));
const disk = join(root, 'disk');
const ballast = join(disk, 'ballast');
mkdirSync(disk);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0;
afterEach(() => {
  for (const name of ['state', 'ballast']) rmSync(join(disk, name), { recursive: true, force: true });
});
afterAll(() => {
  if (mounted) spawnSync('umount', [disk]);
  rmSync(root, { recursive: true, force: true });
});

const open = async () =>
  (await openStore<Tables>({ tables: { rows: {} }, journal: lmdbJournal({ directory: join(disk, 'state') }) })).store;

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

function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(ballast, Buffer.alloc(bavail * bsize));
  expect(statfsSync(disk).bavail).toBe(0);
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
      expectNotAsked(await refusalOf(store, 'another'), 'ENOSPC');
      rmSync(ballast);
    }
    expect(taken).toBeGreaterThan(0);
    await store.close();
  });

  it('is told where the state is opened on it, new or not', async () => {
    fill();
    await expect(open()).rejects.toThrow(/cannot open the state in .*: no space is left/);
    rmSync(ballast);
    let store = await open();
    expect(await refusalOf(store, 'kept')).toBeUndefined();
    await store.close();
    fill();
    await expect(open()).rejects.toThrow(/no space is left/);
    rmSync(ballast);
    store = await open();
    expect(store.snapshot().count('rows')).toBe(1);
    await store.close();
  });

  it('that became read-only refuses writes until it takes them again', async () => {
    const store = await open();
    // the kernel makes no mount read-only while a file on it is open for writing, but one of the same disk above it
    const run = (...args: string[]) => expect(spawnSync(args[0]!, args.slice(1)).status).toBe(0);
    run('mount', '--bind', disk, disk);
    run('mount', '-o', 'remount,bind,ro', disk);
    const refusal = await refusalOf(store, 'row');
    run('umount', disk);
    expectNotAsked(refusal, 'EROFS');
    expect(await refusalOf(store, 'row')).toBeUndefined();
    await store.close();
  });
});
