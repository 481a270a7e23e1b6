/**
 * The flags of a mount that a user namespace may not take away: a bind in it must repeat them, or the kernel refuses it (and runc before 1.2
 * does not do so by itself). Source: mount_namespaces(7), "Restrictions on mount namespaces". Pure.
 */
import { readMounts } from '../../lib/node/mount-table.ts';

const locked = new Set(['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime']);

/** Of the mount that a path (absolute, no links) is on. `mountinfo`: `/proc/self/mountinfo`; read once, it has a row for each task's secrets. */
export function lockedFlags(mountinfo: string): (path: string) => readonly string[] {
  const mounts = readMounts(mountinfo).map(({ point: at, options }) => ({
    at,
    below: at === '/' ? '/' : `${at}/`,
    options,
  }));
  return (path) => {
    let best: { readonly at: string; readonly options: readonly string[] } = { at: '', options: [] };
    for (const mount of mounts) {
      // a later row of the same place covers an earlier one
      if (mount.at.length >= best.at.length && (path === mount.at || path.startsWith(mount.below))) best = mount;
    }
    return best.options.filter((option) => locked.has(option));
  };
}
