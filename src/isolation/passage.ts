/**
 * Directories of the host that other users may not enter stand in a task's way: its uid cannot reach its own directory below them. They are
 * not opened: a start sees them covered, in a mount namespace of its own, with nothing in them but what the task is meant to have.
 */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

export interface Passage {
  readonly covers: readonly string[];
  readonly paths: readonly string[];
}

/** The outermost directory on the way to `path` (which need not be there yet) that other users may not enter; null: there is none. */
export function closedAbove(path: string): string | null {
  const real = realOrNull(path);
  let closed: string | null = null;
  for (let at = real === null ? nearestReal(dirname(path)) : dirname(real); ; at = dirname(at)) {
    if ((lstatSync(at).mode & 0o001) === 0) closed = at;
    if (dirname(at) === at) return closed;
  }
}

function nearestReal(path: string): string {
  return realOrNull(path) ?? (dirname(path) === path ? path : nearestReal(dirname(path)));
}

/** What brings another user to `needed`; null: nothing stands in the way. What else lies below a cover comes along if it is in `also`. */
export function passageTo(needed: readonly string[], also: readonly string[] = []): Passage | null {
  const covers = new Set(needed.map(closedAbove).filter((cover) => cover !== null));
  if (covers.size === 0) return null;
  const below = [...needed, ...also].flatMap((path) => {
    const real = realOrNull(path);
    return real !== null && [...covers].some((cover) => real.startsWith(`${cover}/`)) ? [real] : [];
  });
  return { covers: [...covers], paths: [...new Set(below)] };
}

function realOrNull(path: string): string | null {
  try {
    return realpathSync.native(path);
  } catch {
    return null;
  }
}

/** What the shim does for a start, for a command of a probe that root starts. Not canonical: the mount is of what the descriptor names. */
const cover = `
  umask 022
  [ -d "$2" ] && kind=directory
  exec 3<"$2" && mount -t tmpfs -o mode=0755 none "$1" || exit 1
  if [ "$kind" ]; then mkdir -p "$2"; else mkdir -p "$(dirname "$2")" && : >"$2"; fi
  mount -c --bind /proc/self/fd/3 "$2" && shift 2 && exec "$@" 3<&-`;

/** A command that reaches `path` as a start does. Unchanged where nothing is closed. */
export function throughPassage(path: string, command: readonly string[]): readonly string[] {
  const real = realOrNull(path) ?? path;
  const closed = closedAbove(real);
  if (closed === null) return command;
  return ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', cover, 'sh', closed, real, ...command];
}
