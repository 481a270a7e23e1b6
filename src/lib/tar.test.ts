import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { streamSource } from './node/byte-source.ts';
import { readTar } from './tar.ts';

const root = mkdtempSync(join(tmpdir(), 'drover-tar-'));
afterAll(() => rmSync(root, { recursive: true }));

const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(90)}`;

function archiveOf(format: string): Buffer {
  const from = mkdtempSync(join(root, format));
  mkdirSync(join(from, long, '..'), { recursive: true });
  writeFileSync(join(from, 'plain'), 'x'.repeat(700), { mode: 0o640 });
  writeFileSync(join(from, 'ünï'), '');
  symlinkSync('plain', join(from, 'link'));
  if (format === 'gnu' || format === 'pax') writeFileSync(join(from, long), 'deep');
  execFileSync('ln', [join(from, 'plain'), join(from, 'second')]);
  execFileSync('mkfifo', [join(from, 'fifo')]);
  const path = join(root, `${format}.tar`);
  const names = ['plain', 'ünï', 'link', 'second', 'fifo', ...(format === 'gnu' || format === 'pax' ? [long] : [])];
  execFileSync('tar', ['-C', from, `--format=${format}`, '--owner=7', '--group=8', '-cf', path, ...names]);
  return readFileSync(path);
}

/** In pieces that fit no block. */
async function read(bytes: Buffer) {
  const pieces = Array.from({ length: Math.ceil(bytes.length / 333) }, (_, at) =>
    bytes.subarray(at * 333, at * 333 + 333),
  );
  const found = [];
  for await (const entry of readTar(
    streamSource(
      (async function* () {
        yield* pieces;
      })(),
    ),
  )) {
    let content = '';
    // every other one is left unread
    if (found.length % 2 === 0) for await (const piece of entry.content()) content += Buffer.from(piece).toString();
    expect(bytes.subarray(entry.offset, entry.offset + content.length).toString()).toBe(content);
    found.push({ ...entry, content });
  }
  return found;
}

describe('tape archives', () => {
  test.each(['gnu', 'pax', 'ustar'])('of GNU tar, format %s, are read whole', async (format) => {
    const found = await read(archiveOf(format));
    const seen = found.map(({ kind, path, target, size }) => [kind, path, target, size]);
    expect(seen.slice(0, 5)).toEqual([
      ['file', 'plain', '', 700],
      ['file', 'ünï', '', 0],
      ['link', 'link', 'plain', 0],
      ['hardlink', 'second', 'plain', 0],
      ['other', 'fifo', '', 0],
    ]);
    if (format !== 'ustar') expect(seen[5]).toEqual(['file', long, '', 4]);
    expect(found[0]).toMatchObject({ mode: 0o640, uid: 7, gid: 8, content: 'x'.repeat(700) });
    expect(Math.abs(found[0]!.modifiedAt - Date.now() / 1000)).toBeLessThan(600);
  });

  test('that are damaged say where, and end', async () => {
    const good = archiveOf('gnu');
    const changed = (at: number, byte: number): Buffer => {
      const copy = Buffer.from(good);
      copy[at] = byte;
      return copy;
    };
    await expect(read(good.subarray(0, 900))).rejects.toThrow('the archive is damaged at byte');
    await expect(read(good.subarray(0, 1536))).rejects.toThrow('it ends without an end');
    await expect(read(changed(3, 1))).rejects.toThrow('at byte 512: no header of a tar');
    await expect(read(Buffer.alloc(700, 'x'))).rejects.toThrow('at byte 512: ');
    await expect(read(Buffer.alloc(0))).rejects.toThrow('it ends without an end');
    expect(await read(Buffer.alloc(1024))).toEqual([]);
  });

  test('with sizes that no file has are refused before anything is taken for them', async () => {
    const head = (size: string, type: string): Buffer => {
      const bytes = Buffer.alloc(512);
      bytes.write('name');
      bytes.write('0000644', 100);
      bytes.write(size, 124, 'latin1');
      bytes.write(type, 156);
      let sum = 256;
      for (const [at, byte] of bytes.entries()) if (at < 148 || at >= 156) sum += byte;
      bytes.write(sum.toString(8).padStart(6, '0'), 148);
      return bytes;
    };
    await expect(read(head('77777777777', 'x'))).rejects.toThrow('bytes about one entry');
    await expect(read(head('77777777777', '0'))).rejects.toThrow('it is cut short');
    await expect(read(head(`\x80${'\xff'.repeat(11)}`, '0'))).rejects.toThrow('a number that is none');
    await expect(read(head('-1', '0'))).rejects.toThrow('a number that is none');
    await expect(read(head('0', 'S'))).rejects.toThrow('of a kind that is not read here');
  });
});
