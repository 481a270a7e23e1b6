/**
 * The cgroup of one start of one task: a directory of the same name in every hierarchy that is of use to it.
 * It is the unit that is killed, limited and measured.
 */
import { readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, messageOf } from '../../lib/fault.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import { kernelText, writeKernelText } from '../../lib/node/kernel-file.ts';
import { type CgroupHost, type Hierarchy, inheritCpuset } from './hierarchy.ts';
import { type CgroupLimits, limitFiles } from './limits.ts';

export interface TaskCgroup {
  /** `<allocation>.<task>.<generation>` */
  readonly name: string;
  readonly directories: readonly CgroupDirectory[];
}

export interface CgroupDirectory {
  readonly version: 1 | 2;
  readonly path: string;
  readonly controllers: readonly string[];
  /** False: an operator's own directory (`cgroup_v2_override`), never removed by us. */
  readonly ours: boolean;
}

/** A task's id as one directory name: `/` becomes `.`, what is odd `_`. */
export function cgroupName(taskId: string): string {
  return taskId.replaceAll('/', '.').replace(/[^A-Za-z0-9_.-]/g, '_');
}

/** v1 hierarchies in which only tasks have a group that want something of them: each group costs a start some time. */
export const rareControllers: readonly string[] = ['cpuset', 'io'];

/** The directories such a task has or would have, without making them. `rare`: of `rareControllers`. */
export function describeTaskCgroup(host: CgroupHost, name: string, rare: readonly string[] = []): TaskCgroup {
  const wanted = (each: Hierarchy): boolean =>
    each.version === 2 ||
    each.controllers.some((controller) => !rareControllers.includes(controller) || rare.includes(controller));
  return {
    name,
    directories: host.hierarchies.filter(wanted).map((each) => ({
      version: each.version,
      path: join(each.parent, name),
      controllers: each.controllers,
      ours: true,
    })),
  };
}

/** Puts the operator's own directories where ours would have been. `Fault('invalid')`: no such hierarchy here. */
export function overrideCgroup(
  group: TaskCgroup,
  host: CgroupHost,
  overrides: readonly { readonly version: 1 | 2; readonly path: string; readonly controllers: readonly string[] }[],
): TaskCgroup {
  const directories = [...group.directories];
  for (const wanted of overrides) {
    const same = (each: { readonly version: 1 | 2; readonly controllers: readonly string[] }): boolean =>
      each.version === wanted.version &&
      (each.version === 2 || wanted.controllers.some((name) => each.controllers.includes(name)));
    const hierarchy = host.hierarchies.find(same);
    if (hierarchy === undefined) {
      throw new Fault(
        'invalid',
        `this host has no cgroup v${wanted.version} hierarchy ${wanted.controllers.join(',')}`,
      );
    }
    const path = wanted.path.startsWith(hierarchy.mount) ? wanted.path : join(hierarchy.mount, wanted.path);
    const replaced = { version: hierarchy.version, path, controllers: hierarchy.controllers, ours: false };
    const index = directories.findIndex(same);
    if (index < 0) directories.push(replaced);
    else directories[index] = replaced;
  }
  return { name: group.name, directories };
}

/**
 * Makes the directories and writes the limits; those of the processor only where `held` is false: what makes a sandbox runs in the group, and
 * a small share would let it wait behind everybody else's work. `limitProcessor` is for when it is done.
 * Removes them again where something fails: `Fault('unavailable')`, recoverable.
 */
export async function makeTaskCgroup(group: TaskCgroup, limits: CgroupLimits, held = false): Promise<void> {
  const now = (controller: string): boolean => !held || controller !== 'cpu';
  try {
    for (const each of group.directories) if (each.ours) await makeDirectory(each, limits, now);
  } catch (error) {
    await removeTaskCgroup(group);
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `the task's cgroup cannot be made: ${messageOf(error)}`, {
      cause: error,
      recoverable: true,
    });
  }
}

/** Of a group that was made for a held start, before that is checked. `Fault('unavailable')` where the kernel refuses. */
export function limitProcessor(group: TaskCgroup, limits: CgroupLimits): void {
  for (const each of group.directories) if (each.ours) writeLimits(each, limits, (controller) => controller === 'cpu');
}

async function makeDirectory(
  directory: CgroupDirectory,
  limits: CgroupLimits,
  which: (controller: string) => boolean,
): Promise<void> {
  // at once: the kernel takes 40 microseconds for each
  makeDirectories(directory.path);
  if (directory.version === 1 && directory.controllers.includes('cpuset')) {
    inheritCpuset(join(directory.path, '..'), directory.path);
  }
  writeLimits(directory, limits, which);
}

function writeLimits(directory: CgroupDirectory, limits: CgroupLimits, which: (controller: string) => boolean): void {
  for (const limit of limitFiles(limits, directory.version)) {
    if (!directory.controllers.includes(limit.controller) || !which(limit.controller)) continue;
    const path = join(directory.path, limit.file);
    try {
      writeKernelText(path, limit.value);
    } catch (error) {
      if (limit.optional) continue;
      throw new Fault('unavailable', `${path} does not take ${limit.value}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Reads the limits back: what the kernel holds, not what was asked. `''` where the file is not there. */
export function readCgroupFile(group: TaskCgroup, controller: string, file: string): string {
  const directory = group.directories.find((each) => each.controllers.includes(controller));
  if (directory === undefined) return '';
  return kernelText(join(directory.path, file)).trim();
}

/** Groups made inside by the task or a runtime go too. Busy ones are tried for a second. Resolves with what is left. */
export async function removeTaskCgroup(group: TaskCgroup): Promise<readonly string[]> {
  const ours = group.directories.filter((each) => each.ours);
  const gone = await Promise.all(ours.map((each) => removeTree(each.path)));
  return ours.filter((_, index) => gone[index] !== true).map((each) => each.path);
}

async function removeTree(path: string): Promise<boolean> {
  for (let attempt = 0; attempt < 40; attempt++) {
    try {
      await rmdir(path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return true;
      if (code !== 'EBUSY' && code !== 'ENOTEMPTY') return (await stat(path).catch(() => null)) === null;
      const inner = await readdir(path, { withFileTypes: true }).catch(() => []);
      for (const entry of inner) if (entry.isDirectory()) await removeTree(join(path, entry.name));
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  return false;
}

/** Directories whose processes are ended together: v2 and the v1 freezer can; where neither is, nothing here kills. */
export function killDirectories(group: TaskCgroup): readonly string[] {
  return group.directories
    .filter((each) => each.ours && (each.version === 2 || each.controllers.includes('freezer')))
    .map((each) => each.path);
}

export function memoryDirectory(group: TaskCgroup): string | undefined {
  return group.directories.find((each) => each.controllers.includes('memory'))?.path;
}

/** Whether the group bounds what rung `process` wants bounded; a delegated v2 group may hold no controller at all. */
export function boundsTask(group: TaskCgroup | null): group is TaskCgroup {
  const has = (name: string): boolean => group?.directories.some((each) => each.controllers.includes(name)) === true;
  return has('memory') && has('pids');
}
