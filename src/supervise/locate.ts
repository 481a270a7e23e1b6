import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Finds the native programs: what was built here, then what came prebuilt. Null where neither is (or not on Linux). */
export function locateNative(program: 'drover-shim' | 'drover-verify'): string | null {
  if (process.platform !== 'linux') return null;
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const places = [join(root, 'build', 'native'), join(root, 'prebuilt', `linux-${process.arch}`)];
  for (const place of places) {
    const path = join(place, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next place.
    }
  }
  return null;
}
