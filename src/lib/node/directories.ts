import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a directory and those above it that are missing; one that is there stays as it is. `mode` (default 0777 without the umask) is that of all
 * that are made. The error names the place at which it ends, and has the system's `code`.
 *
 * In place of Node's own `recursive: true`, which never ends where a directory is there and takes none: below `/proc` the kernel says ENOENT of
 * a path whose parent exists.
 */
export function makeDirectories(path: string, mode = 0o777): void {
  if (made(path, mode)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectories(parent, mode);
  if (!made(path, mode)) throw problem(path, 'ENOENT', `${parent} takes no directories`);
}

/** False: what is above it is missing, or so it is said. */
function made(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    // a file system that is mounted read-only says so of what is there, too
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return true;
    throw code === 'EEXIST' ? problem(path, code, 'it is there and is no directory') : error;
  }
  return true;
}

const problem = (path: string, code: string, why: string): Error =>
  Object.assign(new Error(`${code}: the directory ${path} cannot be made: ${why}`), { code, path, syscall: 'mkdir' });
