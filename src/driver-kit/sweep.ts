/**
 * Starts nobody knows: their agent died before it had stored them, or their allocation was forgotten meanwhile. Run once after
 * recovery; what matches nothing is ended and removed.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupName, describeTaskCgroup, rareControllers } from '../isolation/cgroup/task-cgroup.ts';
import { messageOf } from '../lib/fault.ts';
import { readIntent } from '../supervise/record-directory.ts';
import { removeStart } from './command-task.ts';
import type { DriverDeps } from './driver-plugin.ts';
import { removePluginGroups } from './remote/plugin-cgroups.ts';

/** `known`: ids of tasks (`<allocation>/<task>/<generation>`) that must be left alone. Resolves with the names of what was removed. */
export async function sweepStarts(deps: DriverDeps, known: Iterable<string>): Promise<readonly string[]> {
  const keep = new Set([...known].map(cgroupName));
  const names = await readdir(deps.stateDirectory).catch(() => []);
  const removed: string[] = [];
  for (const name of names.filter((each) => !keep.has(each))) {
    const directory = join(deps.stateDirectory, name);
    try {
      const found = await deps.supervisor.recover(directory);
      if (found.state === 'present') {
        await found.shim.stop({ signal: 9, timeoutMs: 0 });
        await found.shim.wait();
        await found.shim.shutdown();
      }
      const intent = await readIntent(directory);
      if (intent?.launcher.kind === 'none') await removePluginGroups(intent.id);
      await removeStart({ cgroup: describeTaskCgroup(deps.isolation.cgroups, name, rareControllers), directory });
      deps.log.warn('a start nobody knows was ended', { name, state: found.state });
      removed.push(name);
    } catch (error) {
      deps.log.error('a start nobody knows cannot be removed', { name, reason: messageOf(error) });
    }
  }
  return removed;
}
