import { formatJson } from '../lib/json.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { Channel } from './channel.ts';
import type { ListDefinition, Page } from './listing.ts';
import type { ApiRequest } from './request.ts';
import { type Place, type RowCache, SlabWriter } from './row-cache.ts';
import { Turn } from './turns.ts';

const pieceBytes = 256 * 1024;
/** A run of rows in one slab is sent from there if it is at least so long; shorter ones are gathered. */
const runBytes = 32 * 1024;
/** Lists below this are sent in one piece with their length. */
const wholeRows = 200;

/** Sends a page as a JSON array, in pieces, taking turns with everything else. */
export async function writePage<Row extends object>(
  list: ListDefinition<Row>,
  page: Page<Row>,
  snapshot: ServerSnapshot,
  request: ApiRequest,
  channel: Channel,
  cache: RowCache,
): Promise<void> {
  const stub = list.stub(request, snapshot);
  const pretty = request.query.has('pretty') && request.query.text('pretty') !== '0';
  const form = pretty ? undefined : list.kept?.(request);
  const encode = (row: Row): string =>
    pretty ? `\n    ${formatJson(stub(row), 4).replaceAll('\n', '\n    ')}` : formatJson(stub(row));
  const passing = new SlabWriter(Math.min(pieceBytes, page.rows.length * 1024));
  const placeOf = (row: Row): Place =>
    form === undefined ? passing.add(encode(row)) : cache.place(form, row, encode, passing);
  const end = !pretty ? ']' : page.rows.length === 0 ? ']\n' : '\n]\n';
  const pieces = piecesOf(page.rows, placeOf, end);
  if (page.rows.length <= wholeRows) {
    const all: Buffer[] = [];
    for await (const piece of pieces) all.push(piece);
    return channel.send(200, 'application/json', Buffer.concat(all));
  }
  channel.start(200, 'application/json', false);
  for await (const piece of pieces) {
    await channel.write(piece);
    if (channel.signal.aborted) return channel.abandon();
  }
  channel.end();
}

async function* piecesOf<Row>(rows: readonly Row[], placeOf: (row: Row) => Place, end: string): AsyncIterable<Buffer> {
  const turn = new Turn();
  let gathered: Buffer[] = [Buffer.from('[')];
  let size = 1;
  let run: { readonly slab: Buffer; readonly start: number; end: number } | null = null;
  for (let index = 0; index < rows.length; index++) {
    const { slab, start, end: rowEnd } = placeOf(rows[index]!);
    if (run !== null && run.slab === slab && run.end === start - 1 && rowEnd - run.start <= pieceBytes) {
      run.end = rowEnd;
    } else {
      if (run !== null) {
        gathered.push(run.slab.subarray(run.start, run.end));
        size += run.end - run.start;
        if (run.end - run.start >= runBytes || size >= pieceBytes) {
          yield* asFew(gathered);
          gathered = [];
          size = 0;
        }
      }
      // with its comma, but for the first row
      run = { slab, start: index === 0 ? start : start - 1, end: rowEnd };
    }
    if ((index & 31) === 0 && turn.isOver) await turn.next();
  }
  if (run !== null) gathered.push(run.slab.subarray(run.start, run.end));
  yield* asFew([...gathered, Buffer.from(end)]);
}

/** Long runs as they are; what is short between them put together. */
function* asFew(runs: readonly Buffer[]): Iterable<Buffer> {
  let short: Buffer[] = [];
  for (const run of runs) {
    if (run.length < runBytes) short.push(run);
    else {
      if (short.length > 0) yield Buffer.concat(short);
      yield run;
      short = [];
    }
  }
  if (short.length > 0) yield Buffer.concat(short);
}
