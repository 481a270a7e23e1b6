import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileFrame, LogRequest } from './client-node.ts';
import { goMode, listFiles, readFilePart, statFile } from './files.ts';
import { followFile } from './follow.ts';
import { beginAt, readLogs } from './logs.ts';

let root: string;
let stop: AbortController;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'drover-logs-'));
  mkdirSync(join(root, 'alloc/logs'), { recursive: true });
  mkdirSync(join(root, 't/secrets'), { recursive: true });
  mkdirSync(join(root, 't/local'), { recursive: true });
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  rmSync(root, { recursive: true, force: true });
});

const log = (number: number): string => join(root, `alloc/logs/t.stdout.${number}`);
const request = (over: Partial<LogRequest> = {}): LogRequest => ({
  task: 't',
  type: 'stdout',
  follow: false,
  origin: 'start',
  offset: 0,
  ...over,
});

async function textOf(frames: AsyncIterable<FileFrame>): Promise<string> {
  let text = '';
  for await (const frame of frames) text += Buffer.from(frame.data).toString();
  return text;
}

/** Reads in the background; `has` waits until the text so far is this. */
function reading(frames: AsyncIterable<FileFrame>) {
  const seen = { text: '', events: [] as string[], over: false };
  const done = (async () => {
    for await (const frame of frames) {
      seen.text += Buffer.from(frame.data).toString();
      if (frame.event !== '') seen.events.push(frame.event);
    }
    seen.over = true;
  })();
  const has = async (what: () => boolean): Promise<void> => {
    for (const end = Date.now() + 4_000; !what(); ) {
      if (Date.now() > end) throw new Error(`only ${JSON.stringify(seen)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { seen, done, has };
}

describe("a task's log", () => {
  it('is read across rotated files from either end', async () => {
    writeFileSync(log(2), 'abc');
    writeFileSync(log(10), 'def');
    expect(await textOf(readLogs(root, request(), () => true, stop.signal))).toBe('abcdef');
    expect(await textOf(readLogs(root, request({ offset: 2 }), () => true, stop.signal))).toBe('cdef');
    expect(await textOf(readLogs(root, request({ origin: 'end', offset: 4 }), () => true, stop.signal))).toBe('cdef');
    expect(await textOf(readLogs(root, request({ type: 'stderr' }), () => true, stop.signal))).toBe('');
  });

  it('names the file and the offset after each piece', async () => {
    writeFileSync(log(0), 'line one\nline two\n');
    const frames: FileFrame[] = [];
    for await (const frame of readLogs(root, request(), () => true, stop.signal)) frames.push(frame);
    expect(frames).toMatchObject([{ file: 'alloc/logs/t.stdout.0', offset: 18, event: '' }]);
  });

  it('is followed over rotation and ends with its task', async () => {
    let ended = false;
    const { seen, has, done } = reading(readLogs(root, request({ follow: true }), () => ended, stop.signal));
    writeFileSync(log(0), 'one ');
    await has(() => seen.text === 'one ');
    appendFileSync(log(0), 'two ');
    writeFileSync(log(1), 'three ');
    await has(() => seen.text === 'one two three ');
    unlinkSync(log(0));
    appendFileSync(log(1), 'four');
    ended = true;
    await done;
    expect(seen.text).toBe('one two three four');
  });

  it('goes on with what is left where files were rotated away unread', async () => {
    const { seen, has } = reading(readLogs(root, request({ follow: true }), () => false, stop.signal));
    writeFileSync(log(0), 'a');
    await has(() => seen.text === 'a');
    unlinkSync(log(0));
    writeFileSync(log(7), 'h');
    await has(() => seen.text === 'ah');
  });

  it('does not follow a link that a task put in its place', async () => {
    writeFileSync(join(root, 't/secrets/token'), 'canary');
    symlinkSync(join(root, 't/secrets/token'), log(0));
    expect(await textOf(readLogs(root, request(), () => true, stop.signal))).toBe('');
  });

  it('begins at the byte asked for, whatever the sizes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(20), { maxLength: 6 }),
        fc.nat(150),
        fc.constantFrom('start' as const, 'end' as const),
        (sizes, offset, origin) => {
          const files = sizes.map((size, number) => ({ number, size }));
          const total = sizes.reduce((sum, size) => sum + size, 0);
          const at = beginAt(files, origin, offset);
          const before =
            files.filter((file) => file.number < at.number).reduce((sum, file) => sum + file.size, 0) + at.offset;
          expect(before).toBe(Math.min(total, origin === 'start' ? offset : Math.max(0, total - offset)));
        },
      ),
    );
  });
});

describe('a followed file', () => {
  it('tells of new bytes, of truncation and of its deletion, and goes on when it is back', async () => {
    const path = join(root, 't/local/f');
    writeFileSync(path, '0123456789');
    const { seen, has } = reading(
      followFile(root, '/t/local/f', { origin: 'end', offset: 4, follow: true }, stop.signal),
    );
    await has(() => seen.text === '6789');
    appendFileSync(path, 'X');
    await has(() => seen.text === '6789X');
    truncateSync(path, 0);
    await has(() => seen.events.includes('file truncated'));
    appendFileSync(path, 'new');
    await has(() => seen.text === '6789Xnew');
    renameSync(path, `${path}.old`);
    await has(() => seen.events.includes('file deleted'));
    writeFileSync(path, 'back');
    await has(() => seen.text === '6789Xnewback');
  });

  it('ends at its end when nobody follows', async () => {
    writeFileSync(join(root, 't/local/ten'), '0123456789');
    expect(
      await textOf(followFile(root, 't/local/ten', { origin: 'start', offset: 3, follow: false }, stop.signal)),
    ).toBe('3456789');
  });
});

describe('the files of an allocation', () => {
  it('are listed and described in the notation of clients', async () => {
    writeFileSync(join(root, 't/local/ten'), '0123456789', { mode: 0o644 });
    expect(await listFiles(root, '/t/local')).toMatchObject([
      { Name: 'ten', IsDir: false, Size: 10, FileMode: '-rw-r--r--' },
    ]);
    expect(await statFile(root, 't/local/ten')).toMatchObject({
      Name: 'ten',
      ContentType: 'text/plain; charset=utf-8',
    });
    expect(await statFile(root, 't/secrets')).toMatchObject({ IsDir: true, ContentType: 'application/octet-stream' });
    expect(goMode({ mode: 0o041777 })).toBe('dtrwxrwxrwx');
    expect(goMode({ mode: 0o140666 })).toBe('Srw-rw-rw-');
    expect(goMode({ mode: 0o010600 })).toBe('prw-------');
  });

  it('are read from an offset, up to a limit, and never past what is there', async () => {
    writeFileSync(join(root, 't/local/ten'), '0123456789');
    const read = async (offset: number, limit: number): Promise<string> => {
      const chunks: Uint8Array[] = [];
      for await (const data of readFilePart(root, 't/local/ten', { offset, limit }, stop.signal)) chunks.push(data);
      return Buffer.concat(chunks).toString();
    };
    expect(await read(3, 4)).toBe('3456');
    expect(await read(1, -1)).toBe('123456789');
    expect(await read(300, 4)).toBe('');
  });

  it('keep their secrets', async () => {
    writeFileSync(join(root, 't/secrets/token'), 'canary');
    const read = async (path: string): Promise<void> => {
      for await (const _ of readFilePart(root, path, { offset: 0, limit: -1 }, stop.signal)) expect.unreachable();
    };
    for (const path of ['t/secrets/token', '/t//secrets/../secrets/token', 't/./private/x']) {
      await expect(read(path)).rejects.toThrow('Reading secret file prohibited');
    }
  });
});
