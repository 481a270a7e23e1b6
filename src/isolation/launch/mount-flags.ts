/**
 * The flags of a mount that a user namespace may not take away: a bind in it must repeat them, or the kernel refuses it (and runc before 1.2
 * does not do so by itself). Source: mount_namespaces(7), "Restrictions on mount namespaces". Pure.
 */
const locked = new Set(['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime']);

/** Of the mount that `path` (absolute, no links) is on. `mountinfo`: `/proc/self/mountinfo`. */
export function lockedFlags(mountinfo: string, path: string): readonly string[] {
  let best = '';
  let flags: readonly string[] = [];
  for (const row of mountinfo.split('\n')) {
    const [, , , , point = '', options = ''] = row.split(' ');
    const at = point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const above = at === '/' || path === at || path.startsWith(`${at}/`);
    // a later row of the same place covers an earlier one
    if (at === '' || !above || at.length < best.length) continue;
    best = at;
    flags = options.split(',').filter((option) => locked.has(option));
  }
  return flags;
}
