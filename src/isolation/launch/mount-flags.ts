/**
 * The flags of a mount that a user namespace may not take away: a bind in it must repeat them, or the kernel refuses it (and runc before 1.2
 * does not do so by itself). Source: mount_namespaces(7), "Restrictions on mount namespaces". Pure.
 */
const locked = new Set(['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime']);

/** Of the mount that a path (absolute, no links) is on. `mountinfo`: `/proc/self/mountinfo`; read once, it has a row for each task's secrets. */
export function lockedFlags(mountinfo: string): (path: string) => readonly string[] {
  const mounts = mountinfo.split('\n').flatMap((row) => {
    const [, , , , point = '', options = ''] = row.split(' ');
    const at = point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    return at === '' ? [] : [{ at, below: at === '/' ? '/' : `${at}/`, options }];
  });
  return (path) => {
    let best = { at: '', options: '' };
    for (const mount of mounts) {
      // a later row of the same place covers an earlier one
      if (mount.at.length >= best.at.length && (path === mount.at || path.startsWith(mount.below))) best = mount;
    }
    return best.options.split(',').filter((option) => locked.has(option));
  };
}
