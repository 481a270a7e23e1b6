import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KillUnit } from './contract.ts';
import { locateNative } from './locate.ts';

/**
 * Empties what a lost shim has left. A cgroup can be emptied by anyone; a pid namespace died with its shim; a session's
 * processes can no longer be told from others, and nothing else is ever signalled.
 * Resolves with the number of processes that are still there after 5 s.
 */
export async function emptyKillUnit(unit: KillUnit): Promise<number> {
  if (unit.kind !== 'cgroup') return 0;
  const native = locateNative('drover-shim');
  if (native !== null) {
    await new Promise<void>((resolve) =>
      execFile(native, ['empty', ...unit.directories], { timeout: 10_000 }, () => resolve()),
    );
    return (await processesIn(unit.directories)).size;
  }
  return emptyCgroups(unit.directories);
}

/** Without the native program: v2 `cgroup.kill`; v1 only with its freezer, since a frozen process keeps its pid. */
export async function emptyCgroups(directories: readonly string[]): Promise<number> {
  for (const deadline = Date.now() + 5000; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    for (const directory of directories) {
      if (await write(join(directory, 'cgroup.kill'), '1')) continue;
      if (!(await write(join(directory, 'freezer.state'), 'FROZEN'))) continue;
      const state = await readFile(join(directory, 'freezer.state'), 'utf8').catch(() => '');
      if (state.trim() === 'FROZEN') {
        for (const pid of await processesIn([directory])) kill(pid);
      }
      await write(join(directory, 'freezer.state'), 'THAWED');
    }
    const left = (await processesIn(directories)).size;
    if (left === 0 || Date.now() > deadline) return left;
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

/** Everything listed in these cgroup directories and those below. */
export async function processesIn(directories: readonly string[]): Promise<ReadonlySet<number>> {
  const found = new Set<number>();
  for (const directory of directories) {
    const listed = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
    for (const line of listed.split('\n')) if (Number(line) > 1) found.add(Number(line));
    const below = await readdir(directory, { withFileTypes: true }).catch(() => []);
    const inner = below.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
    for (const pid of inner.length > 0 ? await processesIn(inner) : []) found.add(pid);
  }
  return found;
}
