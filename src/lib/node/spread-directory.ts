import { execFile } from 'node:child_process';
import { makeDirectories } from './directories.ts';

/**
 * Makes a directory for directories that have nothing to do with each other, as those of allocations: ext4 then gives each a block group of
 * its own. In one group it looks, for each inode that is made, at every one that was deleted in the last minutes: where hundreds of tasks
 * had just been removed that was 5 ms of a start. On other file systems, and without `chattr`, it is a directory like any other.
 */
export async function makeSpreadDirectory(path: string, mode: number): Promise<void> {
  makeDirectories(path, mode);
  if (process.platform !== 'linux') return;
  await new Promise<void>((resolve) => execFile('chattr', ['+T', path], { timeout: 5000 }, () => resolve()));
}
