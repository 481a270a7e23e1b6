import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../fault.ts';
import {
  listBeneath,
  moveBeneath,
  openBeneath,
  readBeneath,
  removeBeneath,
  statBeneath,
  writeBeneath,
} from './safe-path.ts';

let base: string;
let root: string;
let outside: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-safe-path-'));
  root = join(base, 'root');
  outside = join(base, 'outside');
  mkdirSync(join(root, 'task', 'local'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'the secret');
  writeFileSync(join(root, 'task', 'local', 'file'), 'inside');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

async function read(path: string): Promise<string> {
  const handle = await openBeneath(root, path);
  try {
    return String(await handle.readFile());
  } finally {
    await handle.close();
  }
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Fault);
  return error as Fault;
}

describe('a path in a tree that a task may write', () => {
  it('reads a file whole, and not one that is larger than may be', async () => {
    expect(String(await readBeneath(root, 'task/local/file'))).toBe('inside');
    expect(String(await readBeneath(root, 'task/local/file', 6))).toBe('inside');
    expect(
      (await readBeneath('/', `proc/${process.pid}/status`)).length,
      'of a file that says to be empty',
    ).toBeGreaterThan(0);
    expect((await faultOf(readBeneath(root, 'task/local/file', 5))).message).toContain('more than 5 bytes');
    truncateSync(join(root, 'task/local/file'), 2 ** 40);
    expect((await faultOf(readBeneath(root, 'task/local/file'))).message).toContain('more than 67108864 bytes');
  });

  it('reads, lists and describes what is inside', async () => {
    expect(await read('/task/./local//file')).toBe('inside');
    expect(await read('task/local/../local/file')).toBe('inside');
    expect((await listBeneath(root, '/task')).map((entry) => entry.name)).toEqual(['local']);
    expect((await statBeneath(root, 'task/local/file')).stats.size).toBe(6);
    expect((await statBeneath(root, '/')).stats.isDirectory()).toBe(true);
  });

  it('never leaves the root by ..', async () => {
    for (const path of ['..', '../outside/secret', 'task/../../outside/secret']) {
      expect((await faultOf(openBeneath(root, path))).message).toBe('Path escapes the alloc directory');
    }
  });

  it('does not follow a link, neither as last name nor on the way', async () => {
    symlinkSync(join(outside, 'secret'), join(root, 'task', 'last'));
    symlinkSync(outside, join(root, 'task', 'way'));
    await faultOf(openBeneath(root, 'task/last'));
    await faultOf(openBeneath(root, 'task/way/secret'));
    await faultOf(listBeneath(root, 'task/way'));
    await faultOf(writeBeneath(root, 'task/way/new', Buffer.from('x'), 0o600));
    expect(readdirSync(outside)).toEqual(['secret']);
    expect((await statBeneath(root, 'task/last')).stats.isSymbolicLink()).toBe(true);
  });

  it('says what is missing or of the wrong kind in the words clients know', async () => {
    expect((await faultOf(statBeneath(root, 'zz'))).message).toBe(`stat ${root}/zz: no such file or directory`);
    expect((await faultOf(listBeneath(root, 'task/local/file'))).message).toBe(
      `open ${root}/task/local/file: not a directory`,
    );
    expect((await faultOf(openBeneath(root, 'task'))).message).toBe(`open ${root}/task: is a directory`);
  });

  it.skipIf(process.platform === 'win32')('refuses a FIFO at once instead of waiting for its writer', async () => {
    execFileSync('mkfifo', [join(root, 'task', 'pipe')]);
    expect((await faultOf(openBeneath(root, 'task/pipe'))).kind).toBe('denied');
  });

  it('replaces a planted link when it writes', async () => {
    symlinkSync(join(outside, 'secret'), join(root, 'task', 'planted'));
    await writeBeneath(root, 'task/planted', Buffer.from('mine'), 0o640);
    expect(await read('task/planted')).toBe('mine');
    expect(statSync(join(outside, 'secret')).size).toBe(10);
    expect(statSync(join(root, 'task', 'planted')).mode & 0o777).toBe(0o640);
  });

  it('moves a tree in place of another, but not through a link', async () => {
    mkdirSync(join(root, 'next', 'local'), { recursive: true });
    writeFileSync(join(root, 'next', 'local', 'old'), '');
    symlinkSync(outside, join(root, 'way'));
    await faultOf(moveBeneath(root, 'task/local', 'way/local'));
    expect(await moveBeneath(root, 'task/local', 'next/local')).toBe(true);
    expect(await read('next/local/file')).toBe('inside');
    expect(readdirSync(join(root, 'next', 'local'))).toEqual(['file']);
    expect(await moveBeneath(root, 'task/local', 'next/local')).toBe(false);
    expect(readdirSync(outside)).toEqual(['secret']);
  });

  it('removes a tree without touching what its links point at', async () => {
    symlinkSync(outside, join(root, 'task', 'local', 'way'));
    await removeBeneath(root, 'task');
    expect(readdirSync(root)).toEqual([]);
    expect(readdirSync(outside)).toEqual(['secret']);
    await removeBeneath(root, 'task');
    await faultOf(removeBeneath(root, '/'));
  });

  it.skipIf(process.platform !== 'linux')(
    'stays inside while a directory on the way is swapped for a link',
    { timeout: 30_000 },
    async () => {
      const real = join(root, 'task', 'real');
      const swapped = join(root, 'task', 'swap');
      mkdirSync(real);
      writeFileSync(join(real, 'secret'), 'harmless');
      let swapping = true;
      const swap = (async () => {
        while (swapping) {
          renameSync(real, swapped);
          await new Promise(setImmediate);
          renameSync(swapped, real);
          symlinkSync(outside, swapped);
          await new Promise(setImmediate);
          unlinkSync(swapped);
        }
      })();
      const seen = new Set<string>();
      for (let i = 0; i < 1500; i++) {
        const found = await read('task/swap/secret').catch((error: unknown) =>
          error instanceof Fault ? 'refused' : String(error),
        );
        seen.add(found);
      }
      swapping = false;
      await swap;
      seen.delete('refused');
      seen.delete('harmless');
      expect([...seen]).toEqual([]);
    },
  );

  it.skipIf(process.platform !== 'linux')(
    'removes only what is inside while links are swapped in',
    { timeout: 30_000 },
    async () => {
      for (let round = 0; round < 150; round++) {
        const victim = join(root, 'victim');
        const inner = join(victim, 'inner');
        mkdirSync(inner, { recursive: true });
        writeFileSync(join(inner, 'secret'), 'harmless');
        const removal = removeBeneath(root, 'victim').catch(() => undefined);
        await new Promise(setImmediate);
        try {
          renameSync(inner, join(base, `moved-${round}`));
          symlinkSync(outside, inner);
        } catch {
          // it was already gone
        }
        await removal;
        rmSync(victim, { recursive: true, force: true });
        expect(readdirSync(outside)).toEqual(['secret']);
      }
    },
  );

  it.skipIf(process.platform !== 'linux')('goes, whatever bytes its names have', async () => {
    const names = [[0xff], [0x61, 0x0a, 0x62], [0xc3, 0x28], [0x80, 0x2d]];
    for (const bytes of names) {
      const at = Buffer.concat([Buffer.from(`${root}/task/local/`), Buffer.from(bytes)]);
      mkdirSync(at);
      writeFileSync(Buffer.concat([at, Buffer.from('/'), Buffer.from(bytes)]), '');
    }
    expect(await listBeneath(root, 'task/local')).toHaveLength(names.length + 1);
    await removeBeneath(root, 'task');
    expect(readdirSync(root)).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')('goes however deep it is, with few descriptors', async () => {
    const script =
      'cd "$1"; p=$(printf "d/%.0s" $(seq 1000)); for i in 1 2 3 4 5; do mkdir -p $p && cd -P $p || exit 1; done; : > file';
    execFileSync('/bin/sh', ['-c', script, 'sh', join(root, 'task/local')]);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, readdirSync('/proc/self/fd').length)), 1);
    const before = readdirSync('/proc/self/fd').length;
    await removeBeneath(root, 'task');
    clearInterval(watch);
    expect(readdirSync(root)).toEqual([]);
    expect(most - before).toBeLessThan(200);
  });

  it.skipIf(process.platform !== 'linux' || process.getuid?.() === 0)(
    'goes where its owner shut itself out',
    async () => {
      chmodSync(join(root, 'task/local'), 0);
      await removeBeneath(root, 'task');
      expect(readdirSync(root)).toEqual([]);
    },
  );
});
