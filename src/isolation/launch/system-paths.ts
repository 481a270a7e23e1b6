/** What of the host's system a sandbox sees, read-only. A link at the top (`/bin` → `usr/bin`) becomes a bind of what it points to. */
import { stat } from 'node:fs/promises';

export interface SystemPath {
  readonly from: string;
  readonly to: string;
}

/** The operator's `chroot_env` (host path → path inside) replaces this list. */
export const defaultSystemPaths: Readonly<Record<string, string>> = Object.fromEntries(
  ['/bin', '/etc', '/lib', '/lib32', '/lib64', '/run/resolvconf', '/run/systemd/resolve', '/sbin', '/usr', '/sys'].map(
    (path) => [path, path],
  ),
);

/** Those of the list that this host has. */
export async function findSystemPaths(wanted: Readonly<Record<string, string>>): Promise<readonly SystemPath[]> {
  const found: SystemPath[] = [];
  for (const [from, to] of Object.entries(wanted)) {
    if ((await stat(from).catch(() => null)) !== null) found.push({ from, to });
  }
  return found;
}
