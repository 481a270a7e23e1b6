import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyBeneath } from './copy-beneath.ts';

const { signal } = new AbortController();
const enough = { bytes: 1_000_000, entries: 1000 };
let files: string;
beforeEach(() => {
  files = mkdtempSync(join(tmpdir(), 'drover-copy-'));
  mkdirSync(join(files, 'tree/a/deep'), { recursive: true });
  mkdirSync(join(files, 'tree/b'));
  mkdirSync(join(files, 'outside'));
  writeFileSync(join(files, 'outside/secret'), 'of the host');
});
afterEach(() => rmSync(files, { recursive: true, force: true }));

const copy = (limits = enough) => copyBeneath(files, 'tree', join(files, 'copy'), limits, signal);

it('takes files, directories and links as they are', async () => {
  writeFileSync(join(files, 'tree/a/deep/run'), 'x', { mode: 0o750 });
  symlinkSync(join(files, 'outside/secret'), join(files, 'tree/link'));
  await copy();
  expect(readFileSync(join(files, 'copy/a/deep/run'), 'utf8')).toBe('x');
  expect(statSync(join(files, 'copy/a/deep/run')).mode & 0o777).toBe(0o750);
  expect(lstatSync(join(files, 'copy/link')).isSymbolicLink()).toBe(true);
  expect(readlinkSync(join(files, 'copy/link'))).toBe(join(files, 'outside/secret'));
  expect(readdirSync(join(files, 'copy')).sort()).toEqual(['a', 'b', 'link']);
});

it('is refused where it is more than the limits', async () => {
  for (const name of ['1', '2', '3']) writeFileSync(join(files, 'tree/a', name), 'x'.repeat(1000));
  await expect(copy({ ...enough, bytes: 2500 })).rejects.toThrow('more than 2500 bytes');
  rmSync(join(files, 'copy'), { recursive: true });
  await expect(copy({ ...enough, entries: 5 })).rejects.toThrow('more than 5 files');
});

it('gets nothing from outside where a directory is exchanged for a link after it was listed', async () => {
  for (let n = 0; n < 200; n++) writeFileSync(join(files, 'tree/a', `${n}`), 'x');
  writeFileSync(join(files, 'tree/b/secret'), 'its own');
  const copied = copy().then(
    () => 'copied',
    (error: unknown) => String(error),
  );
  while (!existsSync(join(files, 'copy/a'))) await new Promise(setImmediate);
  renameSync(join(files, 'tree/b'), join(files, 'tree/away'));
  symlinkSync(join(files, 'outside'), join(files, 'tree/b'));
  // the way that was listed leads to the host's now
  expect(readFileSync(join(files, 'tree/b/secret'), 'utf8')).toBe('of the host');
  expect(await copied).toMatch(/not a directory|not followed/);
  expect(existsSync(join(files, 'copy/b/secret'))).toBe(false);
});
