import type { IncomingMessage } from 'node:http';
import { Fault } from '../lib/fault.ts';

/** Faults: `invalid` (413) for a body longer than the limit. */
export async function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLong = () => new Fault('invalid', `a request body may have at most ${limit} bytes`, { status: 413 });
  if (Number(incoming.headers['content-length'] ?? 0) > limit) throw tooLong();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += (chunk as Buffer).length;
    if (length > limit) throw tooLong();
    chunks.push(chunk as Buffer);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}
