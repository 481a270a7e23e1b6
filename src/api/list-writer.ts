import { formatJson } from '../lib/json.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { Channel } from './channel.ts';
import type { ListDefinition, Page } from './listing.ts';
import type { ApiRequest } from './request.ts';
import type { RowCache } from './row-cache.ts';
import { Turn } from './turns.ts';

const pieceBytes = 256 * 1024;
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
  if (request.query.has('pretty') && request.query.text('pretty') !== '0')
    return channel.send(200, 'application/json', `${formatJson(page.rows.map(stub), 4)}\n`);
  const form = list.kept?.(request);
  const encode = (row: Row) => Buffer.from(formatJson(stub(row)));
  const bytesOf = form === undefined ? encode : (row: Row) => cache.bytes(form, row, () => encode(row));
  const pieces = piecesOf(page.rows, bytesOf);
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

async function* piecesOf<Row>(rows: readonly Row[], bytesOf: (row: Row) => Buffer): AsyncIterable<Buffer> {
  const turn = new Turn();
  let piece = Buffer.allocUnsafe(pieceBytes);
  let used = piece.write('[');
  for (let index = 0; index < rows.length; index++) {
    const bytes = bytesOf(rows[index]!);
    if (used + bytes.length + 2 > piece.length) {
      yield piece.subarray(0, used);
      piece = Buffer.allocUnsafe(Math.max(pieceBytes, bytes.length + 2));
      used = 0;
    }
    if (index > 0) piece[used++] = 0x2c;
    used += bytes.copy(piece, used);
    if ((index & 31) === 0 && turn.isOver) await turn.next();
  }
  piece[used++] = 0x5d;
  yield piece.subarray(0, used);
}
