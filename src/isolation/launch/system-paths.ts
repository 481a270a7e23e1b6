/** What of the host's system a sandbox sees, read-only. A link at the top (`/bin` → `usr/bin`) becomes a bind of what it points to. */
import { stat } from 'node:fs/promises';
import type { LaunchRequest } from './launch.ts';

export interface SystemPath {
  readonly from: string;
  readonly to: string;
  /** Covered by an empty directory that stays so: for every task, or for those with a network of their own. */
  readonly empty?: 'always' | 'own_network';
}

/** What the kernel's own files tell of others, whatever namespaces the reader is in: groups of all tasks, interfaces of the host. */
const telling: readonly (readonly [path: string, empty: 'always' | 'own_network'])[] = [
  ['/sys/fs/cgroup', 'always'],
  ['/sys/class/net', 'own_network'],
  ['/sys/devices/virtual/net', 'own_network'],
];

/** The operator's `chroot_env` (host path → path inside) replaces this list. */
export const defaultSystemPaths: Readonly<Record<string, string>> = Object.fromEntries(
  ['/bin', '/etc', '/lib', '/lib32', '/lib64', '/run/resolvconf', '/run/systemd/resolve', '/sbin', '/usr', '/sys'].map(
    (path) => [path, path],
  ),
);

/** Those of the list that this host has; after them what is covered of them. */
export async function findSystemPaths(wanted: Readonly<Record<string, string>>): Promise<readonly SystemPath[]> {
  const found: SystemPath[] = [];
  for (const [from, to] of Object.entries(wanted)) {
    if ((await stat(from).catch(() => null)) !== null) found.push({ from, to });
  }
  for (const [path, empty] of telling) {
    if ((await stat(path).catch(() => null))?.isDirectory() !== true) continue;
    for (const { from, to } of [...found])
      if (path.startsWith(`${from.replace(/\/$/, '')}/`))
        found.push({ from: path, to: `${to.replace(/\/$/, '')}${path.slice(from.replace(/\/$/, '').length)}`, empty });
  }
  return found;
}

/** What such a task sees as it is, and what is covered. */
export function viewOfSystem(
  system: readonly SystemPath[],
  { network }: Pick<LaunchRequest, 'network'>,
): { readonly shown: readonly SystemPath[]; readonly covered: readonly string[] } {
  const covered = system.filter(({ empty }) => empty === 'always' || (empty === 'own_network' && network !== null));
  return { shown: system.filter(({ empty }) => empty === undefined), covered: covered.map(({ to }) => to) };
}
