/**
 * Directories of the host that other users may not enter stand in a task's way: its uid cannot reach its own directory below them. They are
 * not opened: a start sees them covered, in a mount namespace of its own, with nothing in them but what the task is meant to have.
 */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Passage {
  readonly covers: readonly string[];
  readonly paths: readonly string[];
}

/** The outermost directory on the way to `path` (which need not be there yet) that other users may not enter; null: there is none. */
export function closedAbove(path: string): string | null {
  let at = dirname(realOrNull(path) ?? path);
  while (realOrNull(at) === null && dirname(at) !== at) at = dirname(at);
  let closed: string | null = null;
  for (at = realOrNull(at) ?? at; ; at = dirname(at)) {
    if ((lstatSync(at).mode & 0o001) === 0) closed = at;
    if (dirname(at) === at) return closed;
  }
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
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** A command of a probe, which root starts: it sees what a start with a passage to the directory sees. Unchanged where nothing is closed. */
export function throughPassage(directory: string, command: readonly string[]): readonly string[] {
  const cover = closedAbove(join(directory, 'any'));
  if (cover === null) return command;
  const script =
    'exec 3<"$2" && mount -t tmpfs -o mode=0755 none "$1" && mkdir -p "$2" && mount -c --bind /proc/self/fd/3 "$2" && shift 2 && exec "$@" 3<&-';
  return ['unshare', '--mount', '--propagation', 'slave', 'sh', '-c', script, 'sh', cover, directory, ...command];
}
