import { readFile } from 'node:fs/promises';
import { readMounts } from '../lib/node/mount-table.ts';

/** Mount points at or below a path, outermost first, as they are now or later; none where there is no /proc. */
export async function listMounts(path: string): Promise<string[]> {
  return (await mountPoints()).filter((mount) => mount === path || mount.startsWith(`${path}/`));
}

/** The kernel writes a line for each mount at each reading, and where many tasks end each of them asks: one reading serves all who asked before it began. */
function mountPoints(): Promise<readonly string[]> {
  next ??= last.then(() => {
    next = null;
    last = readMountPoints();
    return last;
  });
  return next;
}

let last: Promise<readonly string[]> = Promise.resolve([]);
let next: Promise<readonly string[]> | null = null;

async function readMountPoints(): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return readMounts(text).map(({ point }) => point);
}
