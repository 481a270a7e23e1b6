/**
 * The files of a task that has no view of files of its own: where neither a mount namespace nor a runtime can be had, Landlock keeps it to its own
 * directories and to what of the system a sandbox would show.
 */

import type { AllowedPath, LaunchRequest } from './launch.ts';
import { type SystemPath, viewOfSystem } from './system-paths.ts';

/** Kernel files and devices keep their own rights; memory that programs share is where every program looks for it. */
const always: readonly AllowedPath[] = [
  { path: '/proc', access: 'use' },
  { path: '/dev', access: 'use' },
  { path: '/dev/shm', access: 'all' },
];

/** `verifier`: trial tasks run it. Null: the operator shows tasks the whole of the host. */
export function allowedPaths(
  { directories, mounts, devices, network }: LaunchRequest,
  system: readonly SystemPath[],
  verifier: string,
): readonly AllowedPath[] | null {
  const { shown } = viewOfSystem(system, { network });
  if (shown.some(({ from }) => from === '/')) return null;
  return [
    ...always,
    ...[...shown.map(({ from }) => from), verifier].map((path) => ({ path, access: 'read' }) as const),
    ...[directories.task, directories.shared].map((path) => ({ path, access: 'all' }) as const),
    ...mounts.map(({ hostPath, readOnly }) => ({ path: hostPath, access: readOnly ? 'read' : 'all' }) as const),
    ...devices.map(({ hostPath }) => ({ path: hostPath, access: 'use' }) as const),
  ];
}
