/** Names of a job (`"local/app.wasm"`, `"/alloc/data"`) as the process around the module has them. */
import { realpath } from 'node:fs/promises';
import { isAbsolute, join, posix, relative } from 'node:path';
import type { TaskConfig, TaskMount } from '../../driver/contract.ts';
import { mayCome } from '../../driver-kit/rehearsal.ts';
import { parseDuration } from '../../lib/duration.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { statBeneath } from '../../lib/node/safe-path.ts';

/** A path of the job as the process sees it. `Fault('invalid' | 'denied')` where it leaves what the task has. */
export type View = (option: string, path: string) => Promise<string>;

export function viewOf({ directories, rehearsal }: TaskConfig, sandboxed: boolean): View {
  return async (option, path) => {
    const inside = posix.join('/', path);
    if (path.split('/').includes('..') || path.includes('\0'))
      throw new Fault('invalid', `${option} ${JSON.stringify(path)} must not have ".." in it`);
    if (sandboxed || rehearsal !== undefined) return inside;
    const shared = inside === '/alloc' || inside.startsWith('/alloc/');
    const root = await realpath(shared ? directories.shared : directories.task);
    const wanted = join(root, shared ? inside.slice('/alloc'.length) : inside);
    const real = await realpath(wanted).catch(() => wanted);
    // nothing but this stands between the module and the host's files
    if (!below(root, real)) throw new Fault('denied', `${option} ${JSON.stringify(path)} leads out of the allocation`);
    return real;
  };
}

export interface ModuleFile {
  readonly path: string;
  readonly mounts: readonly TaskMount[];
}

/**
 * `"local/app.wasm"` in the task's directory; else, whether absolute or not, below one of the operator's directories. A name that is not
 * absolute and in neither is `Fault('invalid')`; an absolute one may be in a volume, which the process finds out.
 */
export async function moduleOf(
  task: TaskConfig,
  allowed: readonly string[],
  name: string,
  sandboxed: boolean,
): Promise<ModuleFile> {
  const own = await viewOf(task, sandboxed)('module', name);
  if (!isAbsolute(name) && (await isThere(task, name))) return { path: own, mounts: [] };
  for (const directory of allowed) {
    const file = isAbsolute(name) ? name : join(directory, name);
    const [root, real] = await Promise.all([resolved(directory), resolved(file)]);
    if (root === null || real === null || !below(root, real)) continue;
    const path = '/run/module.wasm';
    return sandboxed
      ? { path, mounts: [{ taskPath: path, hostPath: real, readOnly: true, propagation: '' }] }
      : { path: real, mounts: [] };
  }
  if (isAbsolute(name) || mayCome(task, name)) return { path: own, mounts: [] };
  const places = allowed.length === 0 ? 'which is empty on this node' : allowed.join(', ');
  throw new Fault(
    'invalid',
    `module ${JSON.stringify(name)} is neither in the task's directory (an artifact block puts it there: "local/…") nor below the operator's module_paths (${places})`,
  );
}

/** Null: it is not there. */
const resolved = (path: string): Promise<string | null> => realpath(path).catch(() => null);

async function isThere({ directories }: TaskConfig, name: string): Promise<boolean> {
  const inside = posix.normalize(name);
  const shared = inside.startsWith('alloc/');
  try {
    await statBeneath(shared ? directories.shared : directories.task, shared ? inside.slice('alloc/'.length) : inside);
    return true;
  } catch (error) {
    // what cannot be looked at from here (a link) is tried
    return !isFault(error, 'not_found');
  }
}

/** 0 for an empty text. */
export function timeoutMsOf(text: string): number {
  if (text === '') return 0;
  const ns = parseDuration(text);
  if (ns === undefined || ns <= 0)
    throw new Fault('invalid', `timeout must be a duration like "90s", not ${JSON.stringify(text)}`);
  // what a timer of Node can hold
  return Math.min(Math.ceil(ns / 1e6), 2 ** 31 - 1);
}

function below(root: string, path: string): boolean {
  const from = relative(root, path);
  return from === '' || (!from.startsWith('..') && !isAbsolute(from));
}
