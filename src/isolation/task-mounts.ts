/**
 * The tasks' mounts of the host (their secrets in memory) hang below one mount: the directory of allocations, bound to itself. A sandbox is
 * made in a mount namespace where that one mount, and so all of them, was let go: bubblewrap and the runtimes look at every mount for each
 * one they make, which with 1,000 tasks took 80 ms of a start.
 */
import { readFile, realpath } from 'node:fs/promises';
import { makeDirectories } from '../lib/node/directories.ts';
import { type Mount, readMounts } from '../lib/node/mount-table.ts';
import { runChild } from './mechanisms/probe.ts';

/** Resolves with the mount they hang below; null where there can be none (no root, or other mounts are there already). */
export async function gatherTaskMounts(directory: string): Promise<string | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
  makeDirectories(directory, 0o711);
  const path = await realpath(directory);
  const before = await mountsNow();
  if (isBoundToItself(before, path)) return path;
  if (before.some(({ point }) => point.startsWith(`${path}/`))) return null;
  const { code } = await runChild(['mount', '-n', '--bind', path, path]);
  return code === 0 && isBoundToItself(await mountsNow(), path) ? path : null;
}

/** Where no task has a mount any more the directory is a plain one again, so that it can be removed. */
export async function releaseTaskMounts(gathered: string | null): Promise<void> {
  if (gathered === null) return;
  const mounts = await mountsNow();
  if (mounts.some(({ point }) => point.startsWith(`${gathered}/`))) return;
  // what is in use stays
  if (isBoundToItself(mounts, gathered)) await runChild(['umount', '-n', gathered]);
}

/** The top mount there shows the very directory that it covers. */
function isBoundToItself(mounts: readonly Mount[], path: string): boolean {
  const top = mounts.findLast(({ point }) => point === path);
  const under = mounts.find(({ id }) => id === top?.parent);
  if (top === undefined || under === undefined || top.device !== under.device) return false;
  const below = under.point === '/' ? path : path.slice(under.point.length);
  return top.root === (under.root === '/' ? below || '/' : `${under.root}${below}`);
}

async function mountsNow(): Promise<readonly Mount[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return readMounts(text);
}
