/**
 * Whether a path stays below its directory when links on the way are followed. Node's WASI looks at the last name alone: a link in the
 * middle (`data/link-to-etc/passwd`) leads it out. Somebody else who changes links at the same moment can win against this check; then only
 * the sandbox around the process holds.
 */
import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';

const mostLinks = 40;

/** `root`: resolved already. `from`: the directory that `path` is relative to. `follow`: the last name too, where it is a link. */
export function staysBelow(root: string, from: string, path: string, follow: boolean): boolean {
  // "..", as Node's WASI does it: by its letters, before any link
  let wanted = resolve(from, path);
  for (let links = 0; links <= mostLinks; links++) {
    const parent = existing(dirname(wanted));
    if (wanted !== root && (parent === null || !below(root, parent))) return parent === null && below(root, wanted);
    const target = follow ? linkAt(wanted) : null;
    if (target === null) return below(root, wanted);
    wanted = resolve(parent ?? root, target);
  }
  return false;
}

/** Of directories whose links were followed: one that is read-only in one that is not. What it holds could be changed by way of that. */
export function exposed<D extends { readonly path: string; readonly readOnly: boolean }>(
  dirs: readonly D[],
): readonly [inner: D, outer: D] | null {
  for (const inner of dirs.filter(({ readOnly }) => readOnly))
    for (const outer of dirs) if (!outer.readOnly && below(outer.path, inner.path)) return [inner, outer];
  return null;
}

/** Null: it is not there, and what is asked for will say so. */
function existing(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

function linkAt(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null;
  }
}

function below(root: string, path: string): boolean {
  const from = relative(root, path);
  return from === '' || (from.split(sep)[0] !== '..' && !isAbsolute(from));
}
