import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

let carried: (() => string | null) | null = null;

/** For a program that brings the native ones inside itself: `place` unpacks them when first asked, and is looked at alone. */
export function carryNative(place: () => string | null): void {
  carried = place;
}

/** Finds the native programs: what was built here, then what came prebuilt. Null where neither is (or not on Linux). */
export function locateNative(
  program: 'drover-shim' | 'drover-verify' | 'drover-pause' | 'drover-mount' | 'drover-guest',
): string | null {
  if (process.platform !== 'linux') return null;
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const own = carried?.() ?? null;
  const places =
    own !== null ? [own] : [join(root, 'build', 'native'), join(root, 'prebuilt', `linux-${process.arch}`)];
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
