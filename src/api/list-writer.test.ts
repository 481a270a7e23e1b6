import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatJson } from '../lib/json.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { Channel } from './channel.ts';
import { writePage } from './list-writer.ts';
import { idOrder, type ListDefinition } from './listing.ts';
import type { ApiRequest } from './request.ts';
import { createRowCache, type RowCache } from './row-cache.ts';

interface Row {
  readonly ID: string;
  readonly text: string;
}

/** What goes out, and how often a row was encoded for it. */
async function written(rows: readonly Row[], cache: RowCache, pretty = false) {
  let encoded = 0;
  const list: ListDefinition<Row> = {
    rows: () => rows,
    order: idOrder((row) => row.ID),
    kept: () => 'row',
    stub: () => (row) => {
      encoded++;
      return row;
    },
  };
  const pieces: Buffer[] = [];
  const channel = {
    signal: new AbortController().signal,
    start: () => {},
    write: (piece: Buffer) => void pieces.push(Buffer.from(piece)),
    end: () => {},
    send: (_status: number, _type: string, body: Buffer) => void pieces.push(body),
  } as unknown as Channel;
  const request = { query: { has: () => pretty, text: () => '' } } as unknown as ApiRequest;
  await writePage(list, { rows, nextToken: '' }, {} as ServerSnapshot, request, channel, cache);
  return { text: Buffer.concat(pieces).toString(), pieces, encoded };
}

const manyRows = (count: number, length: number): Row[] =>
  Array.from({ length: count }, (_, at) => ({ ID: String(at), text: `é${'x'.repeat(length)}` }));
const roomy = () => createRowCache(64 * 1024 * 1024);

it('any rows in any order, in part changed, are written as the JSON they are, whatever room the cache has', async () => {
  const given = fc.array(fc.record({ ID: fc.string(), text: fc.string({ maxLength: 40, unit: 'grapheme' }) }));
  await fc.assert(
    fc.asyncProperty(given, fc.nat(2), fc.infiniteStream(fc.nat(9)), async (rows, room, chance) => {
      const cache = createRowCache(room * 1024 * 1024);
      const many = rows.flatMap((row) => Array.from({ length: 30 }, () => ({ ...row, text: row.text.repeat(200) })));
      expect((await written(many, cache)).text).toBe(JSON.stringify(many));
      const changed = many.flatMap((row) => {
        const what = chance.next().value!;
        return what === 0 ? [] : what === 1 ? [{ ...row, text: 'changed' }] : what === 2 ? [row, row] : [row];
      });
      expect((await written(changed, cache)).text).toBe(JSON.stringify(changed));
      expect((await written(changed.reverse(), cache)).text).toBe(JSON.stringify(changed));
    }),
    { numRuns: 40 },
  );
});

it('a row is encoded once as long as it lives, and again when it was replaced', async () => {
  const cache = roomy();
  const rows = manyRows(5000, 1000);
  expect((await written(rows, cache)).encoded).toBe(5000);
  expect((await written(rows, cache)).encoded).toBe(0);
  rows[7] = { ID: '7', text: 'new' };
  const again = await written(rows, cache);
  expect(again.encoded).toBe(1);
  expect(JSON.parse(again.text)).toEqual(rows);
});

it('rows beside each other leave in pieces of many', async () => {
  const cache = roomy();
  const rows = manyRows(5000, 1000);
  await written(rows, cache);
  expect((await written(rows, cache)).pieces.length).toBeLessThan(40);
});

it('rows beyond the room of the cache are encoded each time and written all the same', async () => {
  const cache = createRowCache(1024 * 1024);
  const rows = manyRows(5000, 1000);
  await written(rows, cache);
  const again = await written(rows, cache);
  expect(again.encoded).toBeGreaterThan(1000);
  expect(again.encoded).toBeLessThan(4500);
  expect(again.text).toBe(JSON.stringify(rows));
});

it('what is kept of rows that are gone makes room for those that came', async () => {
  const cache = createRowCache(8 * 1024 * 1024);
  for (let round = 0; round < 6; round++) await written(manyRows(5000, 1000), cache);
  const rows = manyRows(5000, 1000);
  for (let round = 0; round < 4; round++) await written(rows, cache);
  // what is gone may not have been collected yet
  expect((await written(rows, cache)).encoded).toBeLessThanOrEqual(2500);
});

it('a long list for people is indented like a short one', async () => {
  for (const count of [0, 1, 3, 500]) {
    const rows = manyRows(count, 5);
    expect((await written(rows, roomy(), true)).text).toBe(`${formatJson(rows, 4)}\n`);
  }
});
