/**
 * An allocation's directories:
 *   <alloc_dir>/<id>/alloc/{data,logs,tmp}          shared by the group's tasks
 *   <alloc_dir>/<id>/<task>/{local,private,secrets,tmp}
 * What the agent makes it makes before any task runs; what it removes it removes by descriptor (lib/node/safe-path).
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TaskDirectories } from '../driver/contract.ts';
import { removingOfTasks } from '../isolation/subordinate.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { moveBeneath, removeBeneath } from '../lib/node/safe-path.ts';
import { mountTmpfs, unmount } from '../supervise/mount-process.ts';
import type { AllocationDisks } from './allocation-disks.ts';
import { listMounts } from './mounts.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

/** Where everything of a task is, below `<allocDir>/<allocId>`: the shared `alloc/` and the task's own directory. Makes nothing. */
export function taskDirectories(allocDir: string, allocId: string, task: string): TaskDirectories {
  const allocation = join(allocDir, allocId);
  const own = join(allocation, task);
  return {
    allocation,
    shared: join(allocation, 'alloc'),
    task: own,
    local: join(own, 'local'),
    secrets: join(own, 'secrets'),
    private: join(own, 'private'),
    tmp: join(own, 'tmp'),
    logs: join(allocation, 'alloc', 'logs'),
  };
}

/**
 * Unlike Nomad: the allocation's directory is 0711, not 0755: other users of the host cannot list it; they have to know a path in it.
 * The rest has Nomad's modes, because tasks of one group run as different users and share `alloc`.
 */
export function buildAllocationDirectory(allocDir: string, allocId: string): void {
  const allocation = join(allocDir, allocId);
  makeDirectories(allocDir, 0o711);
  make(allocation, 0o711, null);
  make(join(allocation, 'alloc'), 0o777, nobody);
  for (const name of ['data', 'logs', 'tmp']) make(join(allocation, 'alloc', name), 0o777, nobody);
}

export interface TaskOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface BuiltTaskDirectory {
  /** Why the secrets are in a plain directory; null: they are in memory. */
  readonly secretsOnDisk: string | null;
}

/**
 * Unlike Nomad: `secrets` and `private` of a task with a known owner are 0700 and that owner's, where Nomad opens them to every user
 * of the host. A task whose user only its driver knows keeps 0777 here; the driver tightens it when it picks the user.
 */
export async function buildTaskDirectory(
  directories: TaskDirectories,
  owner: TaskOwner | null,
  secretsMb: number,
): Promise<BuiltTaskDirectory> {
  make(directories.task, 0o777, nobody);
  make(directories.local, 0o777, nobody);
  make(directories.tmp, 0o1777, nobody);
  // what is below the memory is all that an engine has which does not see the mount
  if (owner === null) make(directories.secrets, 0o777, nobody);
  const mounting = mountSecrets(directories.secrets, secretsMb || 1);
  const secretsOnDisk = await noted(directories.allocation, mounting);
  for (const path of [directories.secrets, directories.private]) {
    const made = owner === null ? make(path, 0o777, nobody) : make(path, 0o700, owner.uid, owner.gid);
    if (!made) throw new Fault('denied', `${path} is no directory any more`);
  }
  return { secretsOnDisk };
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
/** Node has no name for it: a directory that may not be read is opened to be looked at. */
const O_PATH = 0o10_000_000;

/**
 * A restarted agent makes directories that tasks were free to change meanwhile, so mode and owner are set by descriptor; a link in a
 * directory's place is left alone, and so is what it points at. False: there is such a link, or a file.
 * At once: calls of microseconds each, where a hop through the thread pool for each costs a start several milliseconds.
 */
function make(path: string, mode: number, uid: number | null, gid = uid): boolean {
  const directory = openDirectory(path);
  if (directory === null) return false;
  try {
    // without root a task may have been given it, with an id of its own
    if (!isRoot && fstatSync(directory).uid !== process.getuid?.()) return true;
    fchmodSync(directory, mode);
    if (isRoot && uid !== null && gid !== null) fchownSync(directory, uid, gid);
  } finally {
    closeSync(directory);
  }
  return true;
}

function openDirectory(path: string): number | null {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') makeDirectories(path);
    else if (code !== 'EEXIST') throw error;
  }
  try {
    return openSync(path, O_RDONLY | (O_DIRECTORY ?? 0) | (O_NOFOLLOW ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP' || code === 'ENOTDIR') return null;
    const found = lstatSync(path);
    if (code !== 'EACCES' || isRoot || !found.isDirectory()) throw error;
    if (found.uid !== process.getuid?.()) return openSync(path, O_PATH | (O_DIRECTORY ?? 0) | (O_NOFOLLOW ?? 0));
    // without root the task is the same user, who may have shut itself out
    chmodSync(path, 0o700);
    return openSync(path, O_RDONLY | (O_DIRECTORY ?? 0) | (O_NOFOLLOW ?? 0));
  }
}

async function mountSecrets(path: string, sizeMb: number): Promise<string | null> {
  if (process.platform !== 'linux') return `tmpfs is not used on ${process.platform}`;
  if (!isRoot) return 'mounting needs root';
  const directory = openDirectory(path);
  if (directory === null) throw new Fault('denied', `${path} is no directory any more`);
  try {
    if (fstatSync(directory).dev !== lstatSync(dirname(path)).dev) return null;
    // by descriptor: a link that is put there now leads nowhere
    await mountTmpfs(`/proc/${process.pid}/fd/${directory}`, sizeMb);
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    closeSync(directory);
  }
}

/**
 * What is being mounted and unmounted below an allocation's directory: whoever unmounts waits for it, or finds a mount that it did not
 * list, or none where it listed one.
 */
const changingMounts = new Map<string, Set<Promise<unknown>>>();

async function noted<T>(allocation: string, mounting: Promise<T>): Promise<T> {
  const all = changingMounts.get(allocation) ?? new Set();
  changingMounts.set(allocation, all.add(mounting));
  try {
    return await mounting;
  } finally {
    all.delete(mounting);
    if (all.size === 0) changingMounts.delete(allocation);
  }
}

/** Unmounts what is mounted below an allocation's directory, its tasks' secrets: what was in memory is gone. */
export async function releaseAllocationMounts(allocDir: string, allocId: string): Promise<void> {
  const allocation = join(allocDir, allocId);
  const before = [...(changingMounts.get(allocation) ?? [])];
  const release = async (): Promise<void> => {
    await Promise.allSettled(before);
    const mounts = await listMounts(allocation);
    if (mounts.length > 0) await unmount(mounts.reverse());
  };
  await noted(allocation, release());
}

/** Unmounts what is mounted below and removes the allocation's directory; missing is fine. */
export async function removeAllocationDirectory(allocDir: string, allocId: string): Promise<void> {
  await releaseAllocationMounts(allocDir, allocId);
  await removingOfTasks(join(allocDir, allocId), () => removeBeneath(allocDir, allocId));
}

/** `from`, `to`: ids of allocations; `tasks`: of the second. */
export interface DiskMove {
  readonly from: string;
  readonly to: string;
  readonly tasks: readonly string[];
}

/** `alloc/data` and each task's `local` go from an ended allocation to the one that replaces it, with the ids that files in them belong to. */
export async function moveDisk(
  allocDir: string,
  { from, to, tasks }: DiskMove,
  { disks, passIds }: { readonly disks: AllocationDisks | null; readonly passIds: (from: string, to: string) => void },
): Promise<void> {
  for (const task of tasks) make(join(allocDir, to, task), 0o777, nobody);
  passIds(join(allocDir, from), join(allocDir, to));
  for (const part of ['alloc/data', ...tasks.map((task) => `${task}/local`)]) {
    // a file system moves nothing from one that is bound to another
    await disks?.adopt(join(allocDir, to), `${from}/${part}`);
    await moveBeneath(allocDir, `${from}/${part}`, `${to}/${part}`);
  }
}

/** uid and gid of `user` (a name or a number) by the host's files; null: nobody of that name. */
export async function lookUpUser(user: string): Promise<TaskOwner | null> {
  const lines = await readFile('/etc/passwd', 'utf8').then(
    (text) => text.split('\n'),
    () => [],
  );
  for (const line of lines) {
    const [name, , uid, gid] = line.split(':');
    if (name === user || uid === user) return { uid: Number(uid), gid: Number(gid) };
  }
  return /^\d+$/.test(user) ? { uid: Number(user), gid: Number(user) } : null;
}
