import { expect, it } from 'vitest';
import type { ExitRecord } from '../supervise/contract.ts';
import { taskExit } from './task-exit.ts';

const record: ExitRecord = {
  unknown: null,
  kind: 'native',
  bootId: 'b',
  pid: 5,
  started: true,
  code: 0,
  signal: 0,
  coreDumped: false,
  oomKilled: true,
  oomKills: 1,
  by: 'task',
  startedAt: 1n,
  finishedAt: 2n,
  killUnit: 'cgroup' as ExitRecord['killUnit'],
  leftover: 0,
  stdout: { stored: 0n, dropped: 0n },
  stderr: { stored: 0n, dropped: 0n },
  error: null,
};

it('calls a task killed for its memory unless it ended well in spite of a lost process', () => {
  expect(taskExit(record).oomKilled).toBe(false);
  expect(taskExit({ ...record, code: 137 }).oomKilled).toBe(true);
  expect(taskExit({ ...record, code: 137, signal: 9 }).oomKilled).toBe(true);
  expect(taskExit({ ...record, code: 3 }).oomKilled).toBe(true);
});
