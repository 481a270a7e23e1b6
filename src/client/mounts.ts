import { readFile } from 'node:fs/promises';
import { readMounts } from '../lib/node/mount-table.ts';

/** Mount points at or below a path, outermost first; none where there is no /proc. */
export async function listMounts(path: string): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return readMounts(text)
    .map(({ point }) => point)
    .filter((mount) => mount === path || mount.startsWith(`${path}/`));
}
