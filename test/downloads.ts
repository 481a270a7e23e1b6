/** Debian packages that the set-up has fetched for tests and that nobody installs: they are unpacked where a test has a root of its own. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const home = join(import.meta.dirname, '../build/packages');

/** The package of that name and those it needs, absolute paths; none: they could not be had. */
export function downloaded(name: string): readonly string[] {
  if (!existsSync(join(home, name, 'whole'))) return [];
  return readdirSync(join(home, name))
    .filter((file) => file.endsWith('.deb'))
    .map((file) => join(home, name, file));
}

/** Shell that unpacks them where it runs; `/lib` and `/bin` stay the links that they are. */
export function unpack(packages: readonly string[]): string {
  return packages.map((path) => `dpkg-deb --fsys-tarfile '${path}' | tar -x --keep-directory-symlink -C /`).join('; ');
}
