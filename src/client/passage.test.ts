import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closedDirectory } from './passage.ts';

let base: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'drover-passage-')));
  mkdirSync(join(base, 'a/b'), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

it('names the outermost directory that stops other users, and none where all may pass', () => {
  chmodSync(base, 0o711);
  chmodSync(join(base, 'a'), 0o755);
  expect(closedDirectory(join(base, 'a/b'))).toBeNull();
  chmodSync(join(base, 'a/b'), 0o700);
  expect(closedDirectory(join(base, 'a/b'))).toEqual({ path: join(base, 'a/b'), mode: '0700' });
  chmodSync(base, 0o750);
  expect(closedDirectory(join(base, 'a/b'))).toEqual({ path: base, mode: '0750' });
});
