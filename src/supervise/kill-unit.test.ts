/** Whether a kill unit is empty is known only where it can be read. Directories stand for control groups: these are files all the same. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { emptyKillUnit, isEmpty, processesIn } from './kill-unit.ts';
import { locateNative } from './locate.ts';

const base = mkdtempSync(join(tmpdir(), 'drover-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

function group(name: string, procs: string | null): string {
  const directory = join(base, name);
  mkdirSync(directory, { recursive: true });
  if (procs === null) mkdirSync(join(directory, 'cgroup.procs'));
  else writeFileSync(join(directory, 'cgroup.procs'), procs);
  return directory;
}

describe('a kill unit', () => {
  it('(control) is empty where nothing is listed, and where it is gone', async () => {
    const directories = [group('empty', ''), join(base, 'gone')];
    expect(await processesIn(directories)).toEqual({ pids: new Set(), unread: [] });
    expect(isEmpty(await emptyKillUnit({ kind: 'cgroup', directories }))).toBe(true);
  });

  it('that cannot be read is not empty, nor is one below which there is one', { timeout: 30_000 }, async () => {
    const unreadable = group('above/unreadable', null);
    group('above', '');
    expect((await processesIn([join(base, 'above')])).unread).toEqual([expect.stringContaining('EISDIR')]);
    const left = await emptyKillUnit({ kind: 'cgroup', directories: [unreadable] });
    expect(left).toEqual({ processes: 0, unread: expect.stringContaining('EISDIR') });
    expect(isEmpty(left)).toBe(false);
  });

  it.skipIf(locateNative('drover-shim') === null)('is not empty for the native program either', () => {
    const native = locateNative('drover-shim') as string;
    expect(spawnSync(native, ['empty', group('unread', null)]).status).toBe(1);
    // control
    execFileSync(native, ['empty', group('read', ''), join(base, 'gone')]);
  });
});
