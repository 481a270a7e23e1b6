import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TaskUids } from './uids.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'drover-uids-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const directoryOf = (task: string): string => {
  const directory = join(base, 'tasks', task);
  mkdirSync(directory, { recursive: true });
  return directory;
};

it('keeps the uid of each task whose files are there, and no claim of those that are gone', () => {
  const uids = new TaskUids(join(base, 'uids'));
  const living = new Map(['a', 'b', 'c'].map((task) => [task, uids.claim(task, directoryOf(task))]));
  expect(new Set(living.values()).size).toBe(3);
  for (let number = 0; number < 500; number++) {
    const directory = directoryOf(`gone-${number}`);
    uids.claim(`gone-${number}`, directory);
    rmSync(directory, { recursive: true });
  }
  expect(readdirSync(join(base, 'uids')).length).toBeLessThanOrEqual(3 + 64);
  for (const [task, uid] of living) expect(uids.claim(task, directoryOf(task))).toBe(uid);
});
