import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { filterInFile } from './filter-file.ts';

const profile = '{"defaultAction":"SCMP_ACT_ALLOW"}';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'drover-test-filter-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (): string => filterInFile(join(root, 'podman'), `seccomp=${profile}`).replace('seccomp=', '');

test('a filter is put into a file, and nothing else is', () => {
  expect(readFileSync(write(), 'utf8')).toBe(profile);
  expect(filterInFile(root, 'seccomp=unconfined')).toBe('seccomp=unconfined');
  expect(filterInFile(root, 'no-new-privileges')).toBe('no-new-privileges');
});

test('the file of a filter that another start may read is not written again', () => {
  const path = write();
  utimesSync(path, 1, 1);
  expect(write()).toBe(path);
  expect(statSync(path).mtimeMs).toBe(1000);
});

test('a file that is there in part, as after a full disk, is replaced as a whole', () => {
  const path = write();
  writeFileSync(path, '{');
  const before = openSync(path, 'r');
  expect(readFileSync(write(), 'utf8')).toBe(profile);
  expect(readFileSync(before, 'utf8'), 'what somebody had open').toBe('{');
  closeSync(before);
});
