/** Where a task's command is looked for, on the host or in the view of a sandbox. */
import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join, posix } from 'node:path';
import type { TaskConfig } from '../driver/contract.ts';
import type { SystemPath } from '../isolation/launch/system-paths.ts';
import { followed, Miss, sandboxPlaces } from '../isolation/launch/task-view.ts';
import { Fault } from '../lib/fault.ts';
import { openBeneath } from '../lib/node/safe-path.ts';
import { binaryNotFound, fileNotFound } from './nomad-texts.ts';
import { mayCome } from './rehearsal.ts';

/** Host paths: `local/<command>`, `<task directory>/<command>`, an absolute path, then PATH. */
export async function findOnHost(task: TaskConfig, command: string): Promise<string> {
  for (const place of ['local', '.']) {
    if (await makeExecutable(task.directories.task, join(place, command)))
      return join(task.directories.task, place, command);
  }
  if (isAbsolute(command)) {
    if (isProgram(command)) return command;
  } else if (!command.includes('/')) {
    const found = await programInPath(command, task.env['PATH'] ?? process.env['PATH'] ?? '');
    if (found !== null) return found;
  }
  if (mayCome(task, command)) return join(task.directories.task, command);
  throw new Fault('invalid', binaryNotFound(command));
}

/** `path`: as PATH is written; parts that are not absolute are passed over. Null: nowhere. */
export async function programInPath(name: string, path: string): Promise<string | null> {
  for (const directory of path.split(':').filter((each) => isAbsolute(each))) {
    if (isProgram(join(directory, name))) return join(directory, name);
  }
  return null;
}

/** Paths as the sandbox has them: the task's own files, then the parts of the system it sees. */
export async function findInSandbox(task: TaskConfig, command: string, system: readonly SystemPath[]): Promise<string> {
  for (const place of ['local', '.']) {
    if (await makeExecutable(task.directories.task, join(place, command))) return posix.join('/', place, command);
  }
  if (posix.isAbsolute(command)) {
    if (await isVisible(task, posix.normalize(command), system)) return command;
  } else if (!command.includes('/')) {
    for (const directory of searchPath(task)) {
      const path = posix.join(directory, command);
      if (await isVisible(task, path, system)) return path;
    }
  }
  if (mayCome(task, command)) return posix.join('/', command);
  throw new Fault('invalid', fileNotFound(command, task.directories.task));
}

function searchPath(task: TaskConfig): readonly string[] {
  return (task.env['PATH'] ?? process.env['PATH'] ?? '').split(':').filter((each) => isAbsolute(each));
}

async function isVisible(task: TaskConfig, path: string, system: readonly SystemPath[]): Promise<boolean> {
  const below = (parent: string): boolean => path === parent || path.startsWith(`${parent}/`);
  // what a volume holds is not ours to look at: it is tried
  if (task.mounts.some((mount) => below(mount.taskPath))) return true;
  if (below('/alloc')) return makeExecutable(task.directories.shared, path.slice('/alloc'.length));
  const network = task.network === null || task.network.mode === 'host' ? null : 'none';
  const found = followed(path, sandboxPlaces({ ...task, network }, system));
  return found !== 'open' && !(found instanceof Miss) && found.host !== null && isProgram(found.host.path);
}

/** An artifact often comes without its x bits. The file is the task's to swap: opened without following links, changed by descriptor. */
async function makeExecutable(root: string, path: string): Promise<boolean> {
  if (process.platform === 'win32') return isProgram(join(root, path));
  const file = await openBeneath(root, path).catch(() => null);
  if (file === null) return false;
  try {
    const { mode } = await file.stat();
    if ((mode & 0o111) !== 0o111) await file.chmod((mode & 0o7777) | 0o111).catch(() => {});
    return true;
  } finally {
    await file.close();
  }
}

/** At once: a look at a file of the host takes microseconds, a hop through the thread pool ten times as long. */
function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
