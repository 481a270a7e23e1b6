import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeDirectories } from './directories.ts';

const root = mkdtempSync(join(tmpdir(), 'drover-directories-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;

test('makes what is missing, with the mode, and leaves what is there', () => {
  mkdirSync(join(root, 'a'));
  chmodSync(join(root, 'a'), 0o750);
  for (let count = 0; count < 2; count++) makeDirectories(join(root, 'a/b/c'), 0o700);
  expect(['a', 'a/b', 'a/b/c'].map((path) => modeOf(join(root, path)))).toEqual([0o750, 0o700, 0o700]);
  symlinkSync('a', join(root, 'link'));
  makeDirectories(join(root, 'link/d'), 0o711);
  expect(modeOf(join(root, 'a/d'))).toBe(0o711);
  makeDirectories(`${join(root, 'slash')}//x/`);
  expect(statSync(join(root, 'slash/x')).isDirectory()).toBe(true);
  makeDirectories('/');
});

test.skipIf(process.platform !== 'linux')('ends at once where a directory takes none, and names it', () => {
  for (const [path, at] of [
    ['/proc/x', '/proc/x'],
    ['/proc/x/y/z', '/proc/x'],
  ]) {
    expect(() => makeDirectories(path!)).toThrow(
      `ENOENT: the directory ${at} cannot be made: /proc takes no directories`,
    );
  }
  makeDirectories('/proc/self');
});

test('names what is there and is no directory', () => {
  writeFileSync(join(root, 'file'), '');
  symlinkSync('/no/such/place', join(root, 'dangling'));
  expect(() => makeDirectories(join(root, 'file'))).toThrow(
    /EEXIST.*\/file cannot be made: it is there and is no directory/,
  );
  expect(() => makeDirectories(join(root, 'file/x'))).toThrow(/ENOTDIR/);
  expect(() => makeDirectories(join(root, 'dangling'))).toThrow(/EEXIST/);
  expect(() => makeDirectories(join(root, 'dangling/x'))).toThrow(/EEXIST.*\/dangling cannot be made/);
});
