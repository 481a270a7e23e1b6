/** Whether tasks of other users can reach their directories. */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/** The outermost directory on the way to `path` (itself included) that other users may not pass through; null: there is none. */
export function closedDirectory(path: string): { readonly path: string; readonly mode: string } | null {
  let closed: { readonly path: string; readonly mode: string } | null = null;
  for (let at = realpathSync(path); ; at = dirname(at)) {
    const mode = lstatSync(at).mode & 0o7777;
    if ((mode & 0o001) === 0) closed = { path: at, mode: mode.toString(8).padStart(4, '0') };
    if (dirname(at) === at) return closed;
  }
}
