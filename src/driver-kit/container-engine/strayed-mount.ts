/** What a container has at its mount points, compared with what it was to get. Source: proc_pid_mountinfo(5). */
import { readFile, readlink } from 'node:fs/promises';
import { join, posix, relative } from 'node:path';
import { readMounts } from '../../lib/node/mount-table.ts';

/** A directory or file as every mount namespace of the kernel has it. */
export interface Place {
  /** `"8:1"` */
  readonly device: string;
  /** Below the file system's own root: `"/srv/alloc"`. */
  readonly path: string;
}

export interface FoundSource {
  readonly target: string;
  readonly place: Place;
}

/** Of an open descriptor of this process. */
export async function whereIs(descriptor: number): Promise<Place> {
  const [about, text, real] = await Promise.all([
    readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8'),
    readFile('/proc/self/mountinfo', 'utf8'),
    readlink(`/proc/self/fd/${descriptor}`),
  ]);
  const id = /^mnt_id:\s*(\d+)$/m.exec(about)?.[1];
  const mount = readMounts(text).find((each) => each.id === id);
  if (mount === undefined) throw new Error(`no mount ${id} for ${real}`);
  return { device: mount.device, path: join(mount.root, relative(mount.point, real)) };
}

/**
 * The target that has what is neither the source found for it nor of the allocation (an engine that does not see the agent's mounts has what lies
 * under them); null: none. `mountinfo` empty: nothing can be seen, and so nothing is said.
 */
export function strayedMount(mountinfo: string, sources: readonly FoundSource[], allocation: Place): string | null {
  const mounts = readMounts(mountinfo).map(({ point, device, root }) => ({ point, place: { device, path: root } }));
  if (mounts.length === 0) return null;
  for (const { target, place } of sources) {
    const wanted = posix.join('/', target).replace(/(.)\/$/, '$1');
    const there = mounts.findLast(({ point }) => point === wanted)?.place;
    // below a link of the image: it is then somewhere else
    const same = there ?? mounts.find((each) => isSame(each.place, place))?.place;
    if (same === undefined || !(isSame(same, place) || isBelow(same, allocation))) return target;
  }
  return null;
}

function isSame(one: Place, other: Place): boolean {
  return one.device === other.device && one.path === other.path;
}

function isBelow({ device, path }: Place, root: Place): boolean {
  return device === root.device && (path === root.path || path.startsWith(root.path === '/' ? '/' : `${root.path}/`));
}
