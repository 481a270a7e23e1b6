/** What of the host's system a sandbox sees, read-only. A link at the top (`/bin` → `usr/bin`) becomes a bind of what it points to. */
import { stat } from 'node:fs/promises';
import type { LaunchRequest } from './launch.ts';

export interface SystemPath {
  readonly from: string;
  readonly to: string;
  /** Covered by an empty directory that stays so: for every task, or for those with a network of their own. */
  readonly empty?: 'always' | 'own_network';
  /** Shown to tasks with such a network alone. Absent: to every one. */
  readonly only?: 'own_network' | 'host_network';
}

/**
 * Beside its files is a socket that looks up names on the host's network, for everyone: tasks with a network of their own have the files, as they
 * are at the start, the others see them change.
 */
const resolver = '/run/systemd/resolve';
const resolverFiles = ['resolv.conf', 'stub-resolv.conf'];

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
    if ((await stat(from).catch(() => null)) === null) continue;
    if (from !== resolver) found.push({ from, to });
    else found.push({ from, to, only: 'host_network' }, ...(await resolverPaths(to)));
  }
  for (const [path, empty] of telling) {
    if ((await stat(path).catch(() => null))?.isDirectory() !== true) continue;
    for (const { from, to } of [...found])
      if (path.startsWith(`${from.replace(/\/$/, '')}/`))
        found.push({ from: path, to: `${to.replace(/\/$/, '')}${path.slice(from.replace(/\/$/, '').length)}`, empty });
  }
  return found;
}

async function resolverPaths(to: string): Promise<readonly SystemPath[]> {
  const paths = resolverFiles.map((name) => ({ from: `${resolver}/${name}`, to: `${to}/${name}` }));
  const there = await Promise.all(paths.map(({ from }) => stat(from).catch(() => null)));
  return paths.filter((_, index) => there[index]?.isFile() === true).map((each) => ({ ...each, only: 'own_network' }));
}

/** What such a task sees as it is, and what is covered. */
export function viewOfSystem(
  system: readonly SystemPath[],
  { network }: Pick<LaunchRequest, 'network'>,
): { readonly shown: readonly SystemPath[]; readonly covered: readonly string[] } {
  const covered = system.filter(({ empty }) => empty === 'always' || (empty === 'own_network' && network !== null));
  const seen = network === null ? 'host_network' : 'own_network';
  const shown = system.filter(({ empty, only = seen }) => empty === undefined && only === seen);
  return { shown, covered: covered.map(({ to }) => to) };
}
