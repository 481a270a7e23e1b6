import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '../../lib/node/directories.ts';

/**
 * `"seccomp={…}"` → `"seccomp=<file>"`, other security options as they are. Podman takes a filter by the name of a file, and reads it some
 * time after it got the name: the file is named after what is in it, below `directory`, and is never there in part.
 */
export function filterInFile(directory: string, option: string): string {
  const [, profile] = /^seccomp=(\{.*)$/s.exec(option) ?? [];
  if (profile === undefined) return option;
  const path = join(directory, `seccomp-${createHash('sha256').update(profile).digest('hex').slice(0, 16)}.json`);
  if (!holds(path, profile)) {
    makeDirectories(directory, 0o700);
    writeFileSync(`${path}.new`, profile, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  return `seccomp=${path}`;
}

function holds(path: string, content: string): boolean {
  try {
    return readFileSync(path, 'utf8') === content;
  } catch {
    return false;
  }
}
