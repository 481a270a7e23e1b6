import type { FileFrame } from '../client/client-node.ts';
import type { Channel } from './channel.ts';

const heartbeatMs = 1000;
/** The largest piece of data in one frame. */
const frameBytes = 64 * 1024;

/** Sends pieces of a file as concatenated JSON objects, with a `{}` each second so that either side notices when the other is gone. */
export async function writeFrames(
  frames: AsyncIterable<FileFrame>,
  channel: Channel,
  contentType: string,
): Promise<void> {
  const iterator = frames[Symbol.asyncIterator]();
  // the first piece decides whether there is an error to answer instead
  let next = iterator.next();
  await firstOrHeartbeat(next);
  channel.start(200, contentType, true);
  try {
    while (!channel.signal.aborted) {
      const taken = await firstOrHeartbeat(next);
      if (taken === 'heartbeat') {
        await channel.write('{}');
        continue;
      }
      if (taken.done) break;
      for (const text of encodedFrames(taken.value)) await channel.write(text);
      next = iterator.next();
    }
  } finally {
    next.catch(() => {});
    await iterator.return?.();
  }
  channel.end();
}

/** The same as raw bytes. */
export async function writePlain(frames: AsyncIterable<FileFrame>, channel: Channel): Promise<void> {
  const iterator = frames[Symbol.asyncIterator]();
  let next = iterator.next();
  await firstOrHeartbeat(next);
  channel.start(200, 'text/plain', true);
  try {
    for (let taken = await next; !taken.done && !channel.signal.aborted; taken = await next) {
      await channel.write(taken.value.data);
      next = iterator.next();
    }
  } finally {
    next.catch(() => {});
    await iterator.return?.();
  }
  channel.end();
}

async function firstOrHeartbeat<T>(next: Promise<T>): Promise<T | 'heartbeat'> {
  let timer: NodeJS.Timeout | undefined;
  const beat = new Promise<'heartbeat'>((resolve) => {
    timer = setTimeout(() => resolve('heartbeat'), heartbeatMs);
  });
  try {
    return await Promise.race([next, beat]);
  } finally {
    clearTimeout(timer);
  }
}

function* encodedFrames({ file, offset, data, event }: FileFrame): Iterable<string> {
  if (data.length === 0) {
    if (event !== '') yield JSON.stringify({ File: file, Offset: offset || undefined, FileEvent: event });
    return;
  }
  for (let start = 0; start < data.length; start += frameBytes) {
    const piece = data.subarray(start, start + frameBytes);
    const after = offset - (data.length - start) + piece.length;
    const base64 = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('base64');
    yield JSON.stringify({ Offset: after, Data: base64, File: file, FileEvent: event === '' ? undefined : event });
  }
}
