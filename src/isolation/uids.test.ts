import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { givenRanges } from './subordinate-rows.ts';
import { rootUidOf, TaskUids } from './uids.ts';

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

it('claims nothing that /etc/subuid gives somebody, neither for the task nor for root of its namespace; what it has it keeps', () => {
  const range = { first: 1_900_000_000, last: 1_900_000_005 };
  const before = new TaskUids(join(base, 'uids'), range);
  const kept = before.claim('kept', directoryOf('kept'));
  const given = givenRanges(`bob:1900000000:2\nann:${rootUidOf(range.first) + 2}:1\n`);
  const uids = new TaskUids(join(base, 'uids'), range, given);
  const claimed = ['kept', 'a', 'b', 'c'].flatMap((task) => {
    try {
      return [uids.claim(task, directoryOf(task))];
    } catch {
      return [];
    }
  });
  expect(claimed[0]).toBe(kept);
  const free = [1_900_000_003, 1_900_000_004, 1_900_000_005];
  expect(claimed.slice(1).every((uid) => free.includes(uid))).toBe(true);
  expect(new Set([...claimed, ...free]).size).toBe(new Set([kept, ...free]).size);
});

it('goes with the files to the allocation that takes them over, and is nobody else’s while any of them are there', () => {
  const uids = new TaskUids(join(base, 'uids'), { first: 1_900_000_000, last: 1_900_000_001 });
  const [a, b] = [uids.claim('old/a', directoryOf('old/a')), uids.claim('old/b', directoryOf('old/b'))];
  const to = join(base, 'tasks/new');
  const own = directoryOf('new/a');
  for (const _ of ['once', 'again']) uids.pass(join(base, 'tasks/old'), to);
  const later = new TaskUids(join(base, 'uids'), uids.range);
  expect(later.claim('new/a', own)).toBe(a);
  expect(later.held('new/a')).toBe(a);
  // the new one has no such task; its files may be among those that are shared
  expect(() => later.claim('c', directoryOf('c'))).toThrow('no uid is left');
  later.pass(to, join(base, 'tasks/newest'));
  expect(later.claim('newest/b', directoryOf('newest/b'))).toBe(b);
  for (const gone of ['new', 'newest']) {
    rmSync(join(base, 'tasks', gone), { recursive: true });
    expect(() => later.claim('c', directoryOf('c'))).toThrow('no uid is left');
  }
  rmSync(join(base, 'tasks/old'), { recursive: true });
  expect([a, b]).toContain(later.claim('c', directoryOf('c')));
});
