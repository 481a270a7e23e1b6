/** Lists: which rows, in which order, from which on, as many as asked for; and the token of the first that is not among them. */

import { Fault, isFault } from '../lib/fault.ts';
import { compileFilter, type Filter, parseExpression, type Shape } from '../lib/go-bexpr.ts';
import { compareText } from '../lib/order.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { PageOptions } from './query-parameters.ts';
import type { ApiRequest } from './request.ts';
import { rowPattern } from './row-pattern.ts';
import { Turn } from './turns.ts';

/** An order of rows and the text form of a place in it. */
export interface Order<Row> {
  readonly token: (row: Row) => string;
  /** Negative: the row stands before the place the token names. A token that no row ever had is as good as any. */
  readonly compare: (row: Row, token: string) => number;
  /** Rows come in the order of their table; otherwise they have to be sorted by creation. */
  readonly byCreation: false | 'oldest first' | 'newest first';
}

export interface ListDefinition<Row extends object> {
  /** In the order of the table's ids. Narrowed as far as an index can; namespaces and prefixes may be left to `admits`. */
  readonly rows: (snapshot: ServerSnapshot, request: ApiRequest) => Iterable<Row>;
  readonly order: Order<Row> | ((request: ApiRequest) => Order<Row>);
  /** Cheap tests of the route's own parameters. Made once per request; faults of bad parameters come from here. */
  readonly admits?: (request: ApiRequest, snapshot: ServerSnapshot) => ((row: Row) => boolean) | undefined;
  /** Rows with a namespace: filtered by the caller's rights where all namespaces are asked for. */
  readonly namespaceOf?: (row: Row) => string;
  /** What `filter` sees; default: the row. */
  readonly filterDatum?: (row: Row, snapshot: ServerSnapshot) => object;
  readonly filterShape?: Shape;
  /** What is sent of a row. */
  readonly stub: (request: ApiRequest, snapshot: ServerSnapshot) => (row: Row) => unknown;
  /** Rows whose encoded form depends on nothing but the row: kept under this name. undefined: not kept. */
  readonly kept?: (request: ApiRequest) => string | undefined;
  /** false: the list is never cut into pages (`per_page` is ignored, as the reference does). */
  readonly paged?: boolean;
}

export function idOrder<Row>(id: (row: Row) => string): Order<Row> {
  return { token: id, compare: (row, token) => compareText(id(row), token), byCreation: false };
}

/** `default.web`; a namespace's name has no dot. */
export function namespacedOrder<Row>(namespace: (row: Row) => string, id: (row: Row) => string): Order<Row> {
  return {
    token: (row) => `${namespace(row)}.${id(row)}`,
    compare: (row, token) => {
      const dot = token.indexOf('.');
      return compareText(namespace(row), token.slice(0, dot)) || compareText(id(row), token.slice(dot + 1));
    },
    byCreation: false,
  };
}

interface Created {
  readonly ID: string;
  readonly CreateIndex: number;
}

/** `12.1f3c…`: oldest first. */
export const creationOrder: Order<Created> = {
  token: (row) => `${row.CreateIndex}.${row.ID}`,
  compare: (row, token) => {
    const dot = token.indexOf('.');
    return row.CreateIndex - Number(token.slice(0, dot)) || compareText(row.ID, token.slice(dot + 1));
  },
  byCreation: 'oldest first',
};

/** For short lists that are never cut into pages. */
export const newestFirst: Order<Created> = { ...creationOrder, byCreation: 'newest first' };

/** Lists of a table by creation, unless a prefix of the id is asked for: then by id. */
export const creationOrIdOrder = (request: ApiRequest): Order<Created> =>
  request.query.text('prefix') === '' ? creationOrder : idOrder((row) => row.ID);

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly nextToken: string;
}

/** Faults: `invalid` for a filter that cannot be read or does not fit the rows. */
export async function readPage<Row extends object>(
  list: ListDefinition<Row>,
  snapshot: ServerSnapshot,
  request: ApiRequest,
  page: PageOptions,
  admitsNamespace: ((namespace: string) => boolean) | undefined,
): Promise<Page<Row>> {
  const order = typeof list.order === 'function' ? list.order(request) : list.order;
  const own = list.admits?.(request, snapshot);
  const namespaceOf = admitsNamespace === undefined ? undefined : list.namespaceOf;
  const admitted = (row: Row) =>
    (namespaceOf === undefined || admitsNamespace!(namespaceOf(row))) && (own === undefined || own(row));
  let rows = await gather(list.rows(snapshot, request), admitted);
  if (order.byCreation !== false) rows = (await sortedByCreation(rows as unknown as Created[])) as unknown as Row[];
  if (page.reverse !== (order.byCreation === 'newest first')) rows.reverse();
  const paged = list.paged !== false;
  return cut(rows, order, paged ? page : { ...page, perPage: 0, nextToken: '' }, filterOf(list, snapshot, page.filter));
}

/** Those of many rows that are admitted, taking turns. */
export async function gather<Row>(source: Iterable<Row>, admitted: (row: Row) => boolean): Promise<Row[]> {
  const rows: Row[] = [];
  const turn = new Turn();
  let seen = 0;
  for (const row of source) {
    if (admitted(row)) rows.push(row);
    if ((++seen & 127) === 0 && turn.isOver) await turn.next();
  }
  return rows;
}

/** Rows in the order of their ids → by creation; many share an index, so they are put into buckets and only the indexes are sorted. */
export async function sortedByCreation<Row extends Created>(rows: readonly Row[]): Promise<Row[]> {
  const buckets = new Map<number, Row[]>();
  const turn = new Turn();
  let seen = 0;
  for (const row of rows) {
    const bucket = buckets.get(row.CreateIndex);
    if (bucket === undefined) buckets.set(row.CreateIndex, [row]);
    else bucket.push(row);
    if ((++seen & 127) === 0 && turn.isOver) await turn.next();
  }
  const indexes = Float64Array.from(buckets.keys()).sort();
  const sorted: Row[] = [];
  for (const index of indexes) {
    for (const row of buckets.get(index)!) sorted.push(row);
    if ((++seen & 127) === 0 && turn.isOver) await turn.next();
  }
  return sorted;
}

async function cut<Row extends object>(
  rows: readonly Row[],
  order: Order<Row>,
  { perPage, nextToken, reverse }: PageOptions,
  filter: ((row: Row) => boolean) | undefined,
): Promise<Page<Row>> {
  const start = nextToken === '' ? 0 : firstFrom(rows, order, nextToken, reverse);
  if (perPage === 0 && filter === undefined) return { rows: start === 0 ? rows : rows.slice(start), nextToken: '' };
  const found: Row[] = [];
  const turn = new Turn();
  for (let index = start; index < rows.length; index++) {
    const row = rows[index]!;
    if ((index & 63) === 0 && turn.isOver) await turn.next();
    if (filter?.(row) === false) continue;
    if (perPage !== 0 && found.length >= perPage) return { rows: found, nextToken: order.token(row) };
    found.push(row);
  }
  return { rows: found, nextToken: '' };
}

/** The first row at or behind the token's place, by bisection. */
function firstFrom<Row>(rows: readonly Row[], order: Order<Row>, token: string, reverse: boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const compared = order.compare(rows[middle]!, token);
    if (reverse ? compared > 0 : compared < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function filterOf<Row extends object>(
  list: ListDefinition<Row>,
  snapshot: ServerSnapshot,
  text: string,
): ((row: Row) => boolean) | undefined {
  if (text === '') return undefined;
  const filter = compiled(text, list.filterShape ?? { kind: 'any' });
  const datum = list.filterDatum;
  return (row) => {
    try {
      return filter(datum === undefined ? row : datum(row, snapshot));
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new Fault('invalid', `failed to read result page: ${error.message}`);
    }
  };
}

function compiled(text: string, shape: Shape): Filter {
  try {
    return compileFilter(parseExpression(text), shape, rowPattern);
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new Fault('invalid', `failed to create result paginator: failed to read filter expression: ${error.message}`);
  }
}
