/** What every journal must do, whatever it writes to. Each implementation's tests run it. */
import { describe, expect, it } from 'vitest';
import type { Journal } from './journal.ts';

export interface JournalUnderTest {
  /** A new writer on the same place, as after a restart or as a second server. */
  open(): Journal;
  /** Whether two writers can be open at once (a journal shared between servers). */
  readonly shared: boolean;
}

/** `make` gives an empty place for each test. */
export function journalConformance(name: string, make: () => JournalUnderTest): void {
  describe(`${name} as a journal`, () => {
    keepsWhatItIsGiven(make);
    refusesWhatItMust(make);
  });
}

function keepsWhatItIsGiven(make: () => JournalUnderTest): void {
  it('is empty at index 0 at first and takes the writer’s place with an epoch', async () => {
    const journal = make().open();
    const contents = await journal.load();
    expect({ ...contents, rows: [...contents.rows] }).toMatchObject({ index: 0, rows: [], damage: [] });
    expect(contents.epoch).toBeGreaterThan(0);
    await journal.close();
  });

  it('gives back after a restart what was committed, and a larger epoch', async () => {
    const place = make();
    const journal = place.open();
    const { epoch } = await journal.load();
    const rows = [
      { table: 'a', id: 'x', row: { n: 1 } },
      { table: 'a', id: 'y', row: { n: 2, deep: { list: [1, null, 'é'] } } },
      { table: 'b', id: 'x', row: {} },
    ];
    expect(await journal.commit({ expectedIndex: 0, epoch, index: 3, changes: rows })).toBe(3);
    await journal.commit({ expectedIndex: 3, epoch, index: 4, changes: [{ table: 'a', id: 'x', row: null }] });
    await journal.close();
    const second = place.open();
    const found = await second.load();
    expect(found.index).toBe(4);
    expect(found.epoch).toBeGreaterThan(epoch);
    expect([...found.rows].map(({ table, id, row }) => ({ table, id, row })).sort(byId)).toEqual(
      [rows[2], rows[1]].sort(byId),
    );
    await second.close();
  });

  it('gives numbers back as numbers, however large, and bigints as bigints', async () => {
    const place = make();
    const journal = place.open();
    const { epoch } = await journal.load();
    const row = {
      time: 1_795_480_000_000_000_000,
      big: 9007199254740993n,
      text: '\u0000bigint:x',
      list: [-(2n ** 70n)],
    };
    await journal.commit({ expectedIndex: 0, epoch, index: 1, changes: [{ table: 'a', id: 'x', row }] });
    await journal.close();
    expect([...(await reload(place)).rows].map((change) => change.row)).toEqual([row]);
  });

  it('keeps ids of any characters and any length apart', async () => {
    const place = make();
    const journal = place.open();
    const { epoch } = await journal.load();
    const ids = ['', 'a\u0000b', 'a', 'é'.repeat(2000), `${'é'.repeat(2000)}!`, '日本/\n"\\'];
    const changes = ids.map((id, n) => ({ table: 't', id, row: { n } }));
    await journal.commit({ expectedIndex: 0, epoch, index: 1, changes });
    await journal.close();
    const found = await reload(place);
    expect(new Map([...found.rows].map(({ id, row }) => [id, row]))).toEqual(new Map(ids.map((id, n) => [id, { n }])));
  });
}

function refusesWhatItMust(make: () => JournalUnderTest): void {
  it('refuses a commit that expects another index, and writes nothing of it', async () => {
    const place = make();
    const journal = place.open();
    const { epoch } = await journal.load();
    await journal.commit({ expectedIndex: 0, epoch, index: 1, changes: [{ table: 'a', id: 'x', row: { n: 1 } }] });
    const stale = journal.commit({
      expectedIndex: 0,
      epoch,
      index: 2,
      changes: [{ table: 'a', id: 'x', row: { n: 2 } }],
    });
    await expect(stale).rejects.toMatchObject({ kind: 'conflict' });
    await journal.close();
    const found = await reload(place);
    expect([...found.rows]).toMatchObject([{ row: { n: 1 } }]);
  });

  it('refuses a commit of an older writer', async () => {
    const place = make();
    const journal = place.open();
    const { epoch } = await journal.load();
    const old = place.shared ? journal : null;
    if (old === null) await journal.close();
    const second = place.open();
    await second.load();
    const writer = old ?? second;
    await expect(writer.commit({ expectedIndex: 0, epoch, index: 1, changes: [] })).rejects.toMatchObject({
      kind: 'conflict',
    });
    await second.close();
    if (old !== null) await old.close();
  });

  it('refuses a commit above its limit', async () => {
    const journal = make().open();
    const { epoch } = await journal.load();
    const row = { text: 'x'.repeat(journal.maxCommitBytes + 1) };
    const commit = journal.commit({ expectedIndex: 0, epoch, index: 1, changes: [{ table: 'a', id: 'x', row }] });
    await expect(commit).rejects.toMatchObject({ kind: 'invalid' });
    await journal.close();
  });
}

async function reload(place: JournalUnderTest): Promise<Awaited<ReturnType<Journal['load']>>> {
  const journal = place.open();
  const contents = await journal.load();
  const rows = [...contents.rows];
  await journal.close();
  return { ...contents, rows };
}

function byId(a: { table: string; id: string } | undefined, b: { table: string; id: string } | undefined): number {
  return `${a?.table} ${a?.id}` < `${b?.table} ${b?.id}` ? -1 : 1;
}
