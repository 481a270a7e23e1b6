import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ServerSnapshot } from '../state/server-tables.ts';
import { creationOrder, idOrder, type ListDefinition, namespacedOrder, newestFirst, readPage } from './listing.ts';
import type { PageOptions } from './query-parameters.ts';
import type { ApiRequest } from './request.ts';

interface Row {
  readonly ID: string;
  readonly Namespace: string;
  readonly CreateIndex: number;
}

const row = fc.record({
  ID: fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', '.', '-', '0') }),
  Namespace: fc.constantFrom('default', 'dev', 'dev-2'),
  CreateIndex: fc.integer({ min: 1, max: 5 }),
});
const key = ({ Namespace, ID }: Row) => `${Namespace}\u0000${ID}`;
const rowsInOrder = (order: 'id' | 'key') =>
  fc.uniqueArray(row, { selector: order === 'id' ? ({ ID }) => ID : key, maxLength: 30 }).map((rows) =>
    rows.sort((left, right) => {
      const [a, b] = order === 'id' ? [left.ID, right.ID] : [key(left), key(right)];
      return a < b ? -1 : 1;
    }),
  );

const orders = [
  { name: 'id', order: idOrder<Row>((each) => each.ID), rows: rowsInOrder('id') },
  {
    name: 'namespace and id',
    order: namespacedOrder<Row>(
      (each) => each.Namespace,
      (each) => each.ID,
    ),
    rows: rowsInOrder('key'),
  },
  { name: 'creation', order: creationOrder, rows: rowsInOrder('id') },
];

const nothing = {} as ServerSnapshot;
const request = {} as ApiRequest;
const all: PageOptions = { perPage: 0, nextToken: '', reverse: false, filter: '', prefix: '' };

function listOf(rows: readonly Row[], order: ListDefinition<Row>['order']): ListDefinition<Row> {
  return { rows: () => rows, order, stub: () => (each) => each };
}

it.each(orders)(
  'pages in the order of $name give every row once, in order, forwards and backwards, filtered or not',
  async ({ order, rows }) => {
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        fc.boolean(),
        async (given, perPage, reverse, filtered) => {
          const list = listOf(given, order);
          const filter = filtered ? 'CreateIndex != 3' : '';
          const whole = await readPage(list, nothing, request, { ...all, reverse, filter }, undefined);
          const paged: Row[] = [];
          let nextToken = '';
          do {
            const page = await readPage(
              list,
              nothing,
              request,
              { ...all, reverse, filter, perPage, nextToken },
              undefined,
            );
            expect(page.rows.length).toBeLessThanOrEqual(perPage);
            paged.push(...page.rows);
            nextToken = page.nextToken;
          } while (nextToken !== '');
          expect(paged).toEqual(whole.rows);
          expect(whole.rows).toHaveLength(given.filter((each) => !filtered || each.CreateIndex !== 3).length);
        },
      ),
    );
  },
);

it('a page goes on where its first row was taken away meanwhile', async () => {
  const rows = ['a', 'b', 'c'].map((ID) => ({ ID, Namespace: 'default', CreateIndex: 1 }));
  const order = idOrder<Row>((each) => each.ID);
  const page = await readPage(
    listOf([rows[0]!, rows[2]!], order),
    nothing,
    request,
    { ...all, nextToken: 'b' },
    undefined,
  );
  expect(page.rows.map((each) => each.ID)).toEqual(['c']);
});

it('short lists may come newest first', async () => {
  const rows = [3, 9, 5].map((CreateIndex, index) => ({ ID: String(index), Namespace: 'default', CreateIndex }));
  const page = await readPage(listOf(rows, newestFirst), nothing, request, all, undefined);
  expect(page.rows.map((each) => each.CreateIndex)).toEqual([9, 5, 3]);
});
