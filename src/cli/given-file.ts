/** Files that a command is given by name; `-` is standard input. What goes wrong is said without the words of system calls. */
import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf } from '../lib/fault.ts';
import { CommandError } from './command.ts';

/** `doing` begins the message: `Error reading input data`. */
export function readGiven(path: string, doing: string): Buffer {
  return orCommandError(path, doing, () => readFileSync(path === '-' ? 0 : path));
}

/** Into a file that is not there yet. */
export function writeNew(path: string, text: string): void {
  orCommandError(path, 'Error writing', () => writeFileSync(path, text, { flag: 'wx' }));
}

export function orCommandError<T>(path: string, doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new CommandError(`${doing} ${path}: ${reasonOf(error)}`);
  }
}

const reasons: { readonly [code: string]: string } = {
  ENOENT: 'no such file or directory',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is no directory',
  EACCES: 'permission denied',
  EEXIST: 'it is there already, and is not overwritten',
  EROFS: 'its file system is read-only',
};

export function reasonOf(error: unknown): string {
  return reasons[(error as NodeJS.ErrnoException).code ?? ''] ?? messageOf(error);
}
