/** Finds a task's program: `local/<command>`, `<task dir>/<command>`, an absolute path, then PATH. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import type { TaskConfig } from '../../driver/contract.ts';
import { binaryNotFound } from '../../driver-kit/nomad-texts.ts';
import { Fault } from '../../lib/fault.ts';
import { openBeneath } from '../../lib/node/safe-path.ts';

export async function findProgram(task: TaskConfig, command: string): Promise<string> {
  for (const place of ['local', '.']) {
    if (await makeExecutable(task.directories.task, join(place, command)))
      return join(task.directories.task, place, command);
  }
  if (isAbsolute(command) || command.includes('/')) {
    const path = isAbsolute(command) ? normalize(command) : null;
    if (path !== null && (await isProgram(path))) return path;
  } else {
    for (const directory of (task.env['PATH'] ?? process.env['PATH'] ?? '').split(':')) {
      if (isAbsolute(directory) && (await isProgram(join(directory, command)))) return join(directory, command);
    }
  }
  throw new Fault('invalid', binaryNotFound(command));
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

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
