import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closedAbove, passageTo } from './passage.ts';

let base: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'drover-passage-')));
  chmodSync(base, 0o711);
  for (const path of ['a/b/task', 'a/volume', 'open/task']) mkdirSync(join(base, path), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

it('names the outermost directory that stops other users, not the place itself, and none where all may pass', () => {
  const task = join(base, 'a/b/task');
  chmodSync(task, 0o700);
  expect(closedAbove(task)).toBeNull();
  chmodSync(join(base, 'a/b'), 0o700);
  expect(closedAbove(task)).toBe(join(base, 'a/b'));
  chmodSync(join(base, 'a'), 0o750);
  expect(closedAbove(task)).toBe(join(base, 'a'));
  expect(closedAbove(join(base, 'a/not/there/yet'))).toBe(join(base, 'a'));
});

it('covers what is closed and opens the way to what is needed, by its real name', () => {
  chmodSync(join(base, 'a'), 0o700);
  symlinkSync(join(base, 'a/b'), join(base, 'link'));
  expect(passageTo([join(base, 'link/task'), join(base, 'open/task')], [join(base, 'a/volume'), '/usr'])).toEqual({
    covers: [join(base, 'a')],
    paths: [join(base, 'a/b/task'), join(base, 'a/volume')],
  });
});

it('is nothing where nothing is closed', () => {
  expect(passageTo([join(base, 'a/b/task'), '/nowhere/at/all'])).toBeNull();
});
