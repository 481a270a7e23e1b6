import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeDisk, type FakeJournalOptions, fakeJournal } from './fake-journal.ts';
import type { Journal } from './journal.ts';
import { lmdbJournal } from './lmdb-journal.ts';
import { openStore } from './open-store.ts';
import type { Store, TableSpecs } from './store.ts';

interface Fruit {
  readonly name: string;
  readonly colours: readonly string[];
}
interface Tables {
  readonly fruits: Fruit;
  readonly bowls: { readonly size: number };
}
const tables: TableSpecs<Tables> = {
  fruits: { indexes: { colour: (fruit) => fruit.colours } },
  bowls: {},
};

async function open(journal: Journal): Promise<Store<Tables>> {
  return (await openStore<Tables>({ tables, journal, freeze: true })).store;
}
const openFake = (options: Partial<FakeJournalOptions> = {}): Promise<Store<Tables>> =>
  open(fakeJournal({ disk: new FakeDisk(), ...options }));

const put = (id: string, ...colours: string[]): { table: 'fruits'; id: string; row: Fruit } => ({
  table: 'fruits',
  id,
  row: { name: id, colours },
});
const write = (store: Store<Tables>, ...changes: ReturnType<typeof put>[]): Promise<{ index: number }> =>
  store.write(() => ({ changes, result: null }));
const colour = (store: Store<Tables>, key: string): string[] =>
  [...store.snapshot().by('fruits', 'colour', key)].map((row) => row.name);
const never = new AbortController().signal;

describe('a store', () => {
  it('publishes a write only when it is durable, and what was taken before never changes', async () => {
    let release = (): void => {};
    const store = await openFake({ delay: () => new Promise((resolve) => (release = resolve)) });
    const before = store.snapshot();
    const written = write(store, put('apple', 'red'));
    await new Promise(setImmediate);
    expect(store.snapshot().get('fruits', 'apple')).toBeUndefined();
    release();
    expect(await written).toMatchObject({ index: 1 });
    expect(store.snapshot().get('fruits', 'apple')).toEqual({ name: 'apple', colours: ['red'] });
    expect(before.get('fruits', 'apple')).toBeUndefined();
    expect(before.index).toBe(0);
  });

  it('shows a write the head, with what others wrote before it and is not durable yet', async () => {
    const store = await openFake();
    const first = write(store, put('apple', 'red'));
    const second = store.write((head, index) => ({
      changes: [put('pear', ...(head.get('fruits', 'apple')?.colours ?? []))],
      result: index,
    }));
    expect(await Promise.all([first, second])).toMatchObject([{ index: 1 }, { index: 2, result: 2 }]);
    expect(colour(store, 'red')).toEqual(['apple', 'pear']);
  });

  it('groups writes that come while a commit is in flight into one', async () => {
    let commits = 0;
    const store = await openFake({
      delay: () => {
        commits++;
        return new Promise(setImmediate);
      },
    });
    const first = write(store, put('a'));
    await new Promise(setImmediate);
    await Promise.all([first, ...Array.from({ length: 100 }, (_, n) => write(store, put(`f${n}`)))]);
    expect(store.snapshot().count('fruits')).toBe(101);
    expect(commits).toBeLessThanOrEqual(3);
  });

  it.each([
    [true, 1],
    [false, 2],
  ])(
    'gathers what follows from a write in the same turn of the loop where that is asked for (%s)',
    async (gathers, expected) => {
      let commits = 0;
      const delay = async (): Promise<void> => {
        commits++;
      };
      const journal = fakeJournal({ disk: new FakeDisk(), delay });
      const { store } = await openStore<Tables>({ tables, journal, gathers });
      const first = write(store, put('apple', 'red'));
      for (let promises = 0; promises < 10; promises++) await Promise.resolve();
      await Promise.all([first, write(store, put('pear', 'green'))]);
      expect(commits).toBe(expected);
      expect(store.snapshot().index).toBe(2);
    },
  );

  it('commits nothing for a write without changes, and nothing of one that throws', async () => {
    const store = await openFake();
    expect(await write(store)).toMatchObject({ index: 0 });
    await expect(
      store.write(() => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(store.snapshot().index).toBe(0);
  });

  it('rejects the writes of a commit that failed and those built on it, and goes on with the next', async () => {
    const outcomes: ('lost' | 'no')[] = ['lost', 'no'];
    const store = await openFake({ fail: () => outcomes.shift() ?? 'no', delay: () => new Promise(setImmediate) });
    const first = write(store, put('lost'));
    await Promise.resolve();
    await Promise.resolve();
    const second = write(store, put('built-on-it'));
    const settled = await Promise.allSettled([first, second]);
    expect(settled.map((one) => one.status)).toEqual(['rejected', 'rejected']);
    expect(settled[0]).toMatchObject({ reason: { kind: 'unavailable' } });
    expect(await write(store, put('kept'))).toMatchObject({ index: 1 });
    expect([...store.snapshot().scan('fruits')].map((row) => row.name)).toEqual(['kept']);
  });

  it('refuses every write after another writer took its place', async () => {
    const disk = new FakeDisk();
    const old = await open(fakeJournal({ disk }));
    const next = await open(fakeJournal({ disk }));
    await write(next, put('new'));
    await expect(write(old, put('old'))).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(write(old, put('old'))).rejects.toThrow(/another writer/);
    expect(old.snapshot().index).toBe(0);
  });

  it('refuses alone a write that no commit could take', async () => {
    const store = await openFake({ maxCommitBytes: 2000 });
    const huge = write(store, put('x'.repeat(3000)));
    await expect(huge).rejects.toMatchObject({ kind: 'invalid' });
    const many = Array.from({ length: 50 }, (_, n) => write(store, put(`f${n}`, 'green')));
    await Promise.all(many);
    expect(colour(store, 'green')).toHaveLength(50);
  });

  it('never gives a table a lower index than before, also after a restart and where all its rows are gone', async () => {
    const disk = new FakeDisk();
    const store = await open(fakeJournal({ disk }));
    await write(store, put('apple', 'red'));
    await store.write(() => ({ changes: [{ table: 'fruits', id: 'apple', row: null }], result: null }));
    await store.write(() => ({ changes: [{ table: 'bowls', id: 'b', row: { size: 1 } }], result: null }));
    expect([store.snapshot().tableIndex('fruits'), store.snapshot().tableIndex('bowls')]).toEqual([2, 3]);
    const again = await open(fakeJournal({ disk }));
    expect([again.snapshot().tableIndex('fruits'), again.snapshot().tableIndex('bowls')]).toEqual([3, 3]);
  });

  it('scans by prefix, from an id, and backwards', async () => {
    const store = await openFake();
    await write(store, ...['a', 'b1', 'b2', 'b3', 'c'].map((id) => put(id)));
    const ids = (scan: Parameters<ReturnType<typeof store.snapshot>['scan']>[1]): string[] =>
      [...store.snapshot().scan('fruits', scan)].map((row) => row.name);
    expect(ids({})).toEqual(['a', 'b1', 'b2', 'b3', 'c']);
    expect(ids({ prefix: 'b' })).toEqual(['b1', 'b2', 'b3']);
    expect(ids({ prefix: 'b', from: 'b2' })).toEqual(['b2', 'b3']);
    expect(ids({ from: 'b2', reverse: true })).toEqual(['b2', 'b1', 'a']);
    expect(ids({ prefix: 'b', reverse: true })).toEqual(['b3', 'b2', 'b1']);
    expect(ids({ prefix: 'b', from: 'b2', reverse: true })).toEqual(['b2', 'b1']);
    expect(ids({ prefix: 'z', reverse: true })).toEqual([]);
  });

  it('wakes those who wait for a table, a row or a key, and nobody else', async () => {
    const store = await openFake();
    await write(store, put('apple', 'red'));
    const woken: string[] = [];
    const wait = (name: string, watch: Omit<Parameters<typeof store.changed>[0], 'after'>): Promise<number> =>
      store.changed({ after: 1, ...watch }, never).then(() => woken.push(name));
    void wait('bowls', { tables: ['bowls'] });
    void wait('pear', { tables: ['fruits'], rows: [{ table: 'fruits', id: 'pear' }] });
    void wait('blue', { tables: ['fruits'], rows: [{ table: 'fruits', index: 'colour', key: 'blue' }] });
    const expected = [
      wait('fruits', { tables: ['fruits', 'bowls'] }),
      wait('apple', { tables: ['fruits'], rows: [{ table: 'fruits', id: 'apple' }] }),
      wait('red', { tables: ['fruits'], rows: [{ table: 'fruits', index: 'colour', key: 'red' }] }),
      wait('green', { tables: ['fruits'], rows: [{ table: 'fruits', index: 'colour', key: 'green' }] }),
    ];
    await write(store, put('apple', 'green'));
    await Promise.all(expected);
    await new Promise(setImmediate);
    expect(woken.sort()).toEqual(['apple', 'fruits', 'green', 'red']);
    await store.changed({ after: 0, tables: ['fruits'] }, never);
    await store.changed({ after: 9, tables: ['fruits'] }, AbortSignal.abort());
    await store.close();
    expect(woken).toHaveLength(7);
  });

  it('keeps 5,000 waiters cheaply: a write that concerns none of them wakes none', async () => {
    const store = await openFake();
    let woken = 0;
    for (let n = 0; n < 5000; n++) {
      void store
        .changed({ after: 0, tables: ['fruits'], rows: [{ table: 'fruits', id: `w${n}` }] }, never)
        .then(() => woken++);
    }
    for (let n = 0; n < 100; n++) await write(store, put(`other${n}`));
    expect(woken).toBe(0);
    await write(store, put('w42'));
    await new Promise(setImmediate);
    expect(woken).toBe(1);
    await store.close();
  });
});

describe('the store against a plain map, whatever fails', () => {
  const root = mkdtempSync(join(tmpdir(), 'drover-store-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const operation = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    colours: fc.option(fc.uniqueArray(fc.constantFrom('red', 'green', 'blue')), { nil: null }),
    outcome: fc.constantFrom('no' as const, 'no' as const, 'no' as const, 'lost' as const, 'unsure' as const),
    restart: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  });

  it('keeps every acknowledged write, gives rows and index keys alike, and never goes back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
        const disk = new FakeDisk();
        let outcome: 'no' | 'lost' | 'unsure' = 'no';
        let store = await open(fakeJournal({ disk, fail: () => outcome }));
        const model = new Map<string, readonly string[]>();
        let last = 0;
        for (const step of operations) {
          outcome = step.outcome;
          const row = step.colours === null ? null : { name: step.id, colours: step.colours };
          const done = await store
            .write(() => ({ changes: [{ table: 'fruits', id: step.id, row }], result: null }))
            .then(
              () => true,
              () => false,
            );
          if (step.restart || (!done && outcome === 'unsure'))
            store = await open(fakeJournal({ disk, fail: () => outcome }));
          // "unsure" was written after all: it may be seen after the restart, and is.
          if (done || outcome === 'unsure') row === null ? model.delete(step.id) : model.set(step.id, row.colours);
          expect(store.snapshot().index).toBeGreaterThanOrEqual(last);
          last = store.snapshot().index;
          expect(new Map([...store.snapshot().scan('fruits')].map((fruit) => [fruit.name, fruit.colours]))).toEqual(
            model,
          );
          for (const key of ['red', 'green', 'blue']) {
            expect(colour(store, key)).toEqual(
              [...model]
                .filter(([, colours]) => colours.includes(key))
                .map(([id]) => id)
                .sort(),
            );
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('finds on LMDB, after any number of restarts, what was written', async () => {
    let places = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
        const directory = join(root, String(++places));
        let store = await open(lmdbJournal({ directory }));
        const model = new Map<string, readonly string[]>();
        for (const step of operations) {
          const row = step.colours === null ? null : { name: step.id, colours: step.colours };
          await store.write(() => ({ changes: [{ table: 'fruits', id: step.id, row }], result: null }));
          row === null ? model.delete(step.id) : model.set(step.id, row.colours);
          if (step.restart) {
            const { index } = store.snapshot();
            await store.close();
            store = await open(lmdbJournal({ directory }));
            expect(store.snapshot().index).toBe(index);
          }
          expect(new Map([...store.snapshot().scan('fruits')].map((fruit) => [fruit.name, fruit.colours]))).toEqual(
            model,
          );
        }
        await store.close();
        rmSync(directory, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });
});
