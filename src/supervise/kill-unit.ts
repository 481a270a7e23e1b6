import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../lib/fault.ts';
import type { KillUnit } from './contract.ts';
import { locateNative } from './locate.ts';

/** What is in a kill unit: it is empty only where no process was found and everything could be read. */
export interface Left {
  readonly processes: number;
  /** What could not be read, and why; `''`: nothing. */
  readonly unread: string;
}

const nothing: Left = { processes: 0, unread: '' };

export function isEmpty({ processes, unread }: Left): boolean {
  return processes === 0 && unread === '';
}

/**
 * Empties what a lost shim has left. A cgroup can be emptied by anyone; a pid namespace died with its shim; a session's
 * processes can no longer be told from others, and nothing else is ever signalled.
 * Resolves with what is still there after 5 s.
 */
export async function emptyKillUnit(unit: KillUnit): Promise<Left> {
  if (unit.kind !== 'cgroup') return nothing;
  const native = locateNative('drover-shim');
  if (native !== null) {
    await new Promise<void>((resolve) =>
      execFile(native, ['empty', ...unit.directories], { timeout: 10_000 }, () => resolve()),
    );
    return leftIn(unit.directories);
  }
  return emptyCgroups(unit.directories);
}

/** Without the native program: v2 `cgroup.kill`; v1 only with its freezer, since a frozen process keeps its pid. */
export async function emptyCgroups(directories: readonly string[]): Promise<Left> {
  for (const deadline = Date.now() + 5000; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    for (const directory of directories) {
      if (await write(join(directory, 'cgroup.kill'), '1')) continue;
      if (!(await write(join(directory, 'freezer.state'), 'FROZEN'))) continue;
      const state = await readFile(join(directory, 'freezer.state'), 'utf8').catch(() => '');
      if (state.trim() === 'FROZEN') {
        for (const pid of (await processesIn([directory])).pids) kill(pid);
      }
      await write(join(directory, 'freezer.state'), 'THAWED');
    }
    const left = await leftIn(directories);
    if (isEmpty(left) || Date.now() > deadline) return left;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function write(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: 'r+' });
    return true;
  } catch {
    return false;
  }
}

async function leftIn(directories: readonly string[]): Promise<Left> {
  const { pids, unread } = await processesIn(directories);
  return { processes: pids.size, unread: unread[0] ?? '' };
}

/** Everything listed in these cgroup directories and those below, and which of them could not be read; one that is gone holds nothing. */
export async function processesIn(
  directories: readonly string[],
): Promise<{ readonly pids: ReadonlySet<number>; readonly unread: readonly string[] }> {
  const pids = new Set<number>();
  const unread: string[] = [];
  const orGone =
    <T>(none: T) =>
    (error: NodeJS.ErrnoException): T => {
      if (error.code !== 'ENOENT' && error.code !== 'ENODEV') unread.push(messageOf(error));
      return none;
    };
  for (const directory of directories) {
    const listed = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(orGone(''));
    for (const line of listed.split('\n')) if (Number(line) > 1) pids.add(Number(line));
    const below = await readdir(directory, { withFileTypes: true }).catch(orGone([]));
    const inner = below.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
    if (inner.length === 0) continue;
    const found = await processesIn(inner);
    for (const pid of found.pids) pids.add(pid);
    unread.push(...found.unread);
  }
  return { pids, unread };
}
