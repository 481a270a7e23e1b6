/**
 * Paths inside a tree that somebody hostile may change at any moment: walked name by name from an open directory, never following a
 * symbolic link, so that a link swapped in between two steps leads nowhere. On Linux each step opens `/proc/self/fd/<directory>/<name>`
 * with O_NOFOLLOW (what openat does). Elsewhere names are checked with lstat and the opened file is compared with what was checked:
 * weaker against a race, and all that Node gives there.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync, type Stats, writeFileSync } from 'node:fs';
import { chmod, type FileHandle, lstat, open, readdir, readlink, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../fault.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY, O_CREAT, O_EXCL } = constants;
/** Linux: a descriptor that names a file without opening it (no side effect on devices and FIFOs). */
const O_PATH = 0o10000000;
const byDescriptor = process.platform === 'linux';

export interface Entry {
  readonly name: string;
  readonly stats: Stats;
}

/** Of a file: text, or where bytes may be no UTF-8, those. */
type Name = string | Buffer;

/** An open directory in such a tree. */
class Directory {
  /** What the fallback walks by, and messages name. */
  readonly path: string;
  readonly #descriptor: number | null;

  private constructor(path: string, descriptor: number | null) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  /** `path` itself must be trusted up to its last name; the last name is not followed. */
  static open(path: string): Directory {
    return Directory.#at(path, path);
  }

  /** At once: a step takes microseconds, a hop through the thread pool ten times as long. */
  static #at(where: string | Buffer, path: string): Directory {
    if (byDescriptor) return new Directory(path, openSync(where, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const stats = lstatSync(path);
    if (!stats.isDirectory()) throw Object.assign(new Error(`${path} is no directory`), { code: 'ENOTDIR' });
    return new Directory(path, null);
  }

  /** A name in this directory as the system calls below want it. */
  at(name: Name): string | Buffer {
    if (this.#descriptor === null) return join(this.path, String(name));
    const directory = `/proc/self/fd/${this.#descriptor}/`;
    return typeof name === 'string' ? directory + name : Buffer.concat([Buffer.from(directory), name]);
  }

  child(name: Name): Directory {
    return Directory.#at(this.at(name), join(this.path, String(name)));
  }

  async names(): Promise<Name[]> {
    if (this.#descriptor === null) return (await readdir(this.path)).sort();
    const names = await readdir(`/proc/self/fd/${this.#descriptor}`, { encoding: 'buffer' });
    return names.sort(Buffer.compare);
  }

  stats(): Stats {
    return this.#descriptor === null ? lstatSync(this.path) : fstatSync(this.#descriptor);
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}

/** `"/a/./b//c"` → its names. `Fault('denied')` where `..` would leave the tree. */
function namesOf(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name.includes('\0')) throw new Fault('invalid', 'a path holds no NUL byte');
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) throw new Fault('denied', 'Path escapes the alloc directory', { status: 500 });
  }
  return names;
}

/** Opens the directory that holds the last name, and hands both on. The root itself has the name `''`. */
async function within<T>(
  root: string,
  path: string,
  verb: string,
  use: (directory: Directory, name: string) => Promise<T>,
): Promise<T> {
  const names = namesOf(path);
  const last = names.pop() ?? '';
  let directory: Directory | null = null;
  try {
    directory = Directory.open(root);
    for (const name of names) {
      const next: Directory = directory.child(name);
      directory.close();
      directory = next;
    }
    return await use(directory, last);
  } catch (error) {
    throw explained(error, verb, join(root, ...names, last));
  } finally {
    directory?.close();
  }
}

/** Go's wording: Nomad's clients show it as it is. */
function explained(error: unknown, verb: string, path: string): unknown {
  if (error instanceof Fault || !(error instanceof Error)) return error;
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return new Fault('not_found', `${verb} ${path}: no such file or directory`, { cause: error });
    case 'ENOTDIR':
      return new Fault('invalid', `${verb} ${path}: not a directory`, { status: 500, cause: error });
    case 'EISDIR':
      return new Fault('invalid', `${verb} ${path}: is a directory`, { status: 500, cause: error });
    case 'ELOOP':
      return new Fault('denied', `${verb} ${path}: a symbolic link is not followed here`, {
        status: 500,
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new Fault('denied', `${verb} ${path}: permission denied`, { status: 500, cause: error });
    default:
      return new Fault('unavailable', `${verb} ${path}: ${error.message}`, { status: 500, cause: error });
  }
}

/** The file's own attributes: a link is described, not followed. */
export async function statBeneath(root: string, path: string): Promise<Entry> {
  return within(root, path, 'stat', async (directory, name) => {
    if (name === '') return { name: '', stats: directory.stats() };
    return { name, stats: lstatSync(directory.at(name)) };
  });
}

/** In the order of their names; what vanishes meanwhile is left out. */
export async function listBeneath(root: string, path: string): Promise<readonly Entry[]> {
  return within(root, path, 'open', async (parent, name) => {
    const directory = name === '' ? parent : await parent.child(name);
    try {
      const entries: Entry[] = [];
      for (const child of await directory.names()) {
        const stats = await lstat(directory.at(child)).catch(() => null);
        if (stats !== null) entries.push({ name: String(child), stats });
      }
      return entries;
    } finally {
      if (directory !== parent) directory.close();
    }
  });
}

/** A regular file, open for reading; anything else (link, FIFO, device, directory) is refused without being touched. */
export async function openBeneath(root: string, path: string): Promise<FileHandle> {
  return within(root, path, 'open', async (directory, name) => {
    if (name === '') throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    if (byDescriptor) {
      const named = await open(directory.at(name), O_PATH | O_NOFOLLOW);
      try {
        requireRegular(await named.stat());
        return await open(`/proc/self/fd/${named.fd}`, O_RDONLY | O_NONBLOCK);
      } finally {
        await named.close();
      }
    }
    const before = await lstat(directory.at(name));
    requireRegular(before);
    const handle = await open(directory.at(name), O_RDONLY | O_NONBLOCK | (O_NOFOLLOW ?? 0));
    const after = await handle.stat();
    if (after.ino === before.ino && after.dev === before.dev) return handle;
    await handle.close();
    throw new Fault('conflict', `open ${join(directory.path, name)}: changed while it was opened`);
  });
}

/** What a link says. */
export async function readLinkBeneath(root: string, path: string): Promise<string> {
  return within(root, path, 'readlink', (directory, name) => readlink(directory.at(name)));
}

/** The whole of a regular file. `mostBytes`: `Fault('invalid')` where there are more; whoever may write the file fills no memory with it. */
export async function readBeneath(root: string, path: string, mostBytes = 64 * 1024 * 1024): Promise<Buffer> {
  const file = await openBeneath(root, path);
  try {
    const parts: Buffer[] = [];
    for await (const part of file.createReadStream({ end: mostBytes, autoClose: false })) parts.push(part);
    const whole = Buffer.concat(parts);
    if (whole.length > mostBytes) throw new Fault('invalid', `read ${join(root, path)}: more than ${mostBytes} bytes`);
    return whole;
  } finally {
    await file.close();
  }
}

function requireRegular(stats: Stats): void {
  if (stats.isFile()) return;
  const code = stats.isDirectory() ? 'EISDIR' : stats.isSymbolicLink() ? 'ELOOP' : 'EACCES';
  throw Object.assign(new Error('no regular file'), { code });
}

/** Makes a new file (an old one of the name, of whatever kind, is unlinked first) with exactly this content. */
export async function writeBeneath(root: string, path: string, content: Uint8Array, mode: number): Promise<void> {
  await within(root, path, 'open', async (directory, name) => {
    const create = () => openSync(directory.at(name), O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), mode);
    let file: number;
    try {
      file = create();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      // what lies there may be large
      await unlink(directory.at(name)).catch(ignoreMissing);
      file = create();
    }
    try {
      writeFileSync(file, content);
      fchmodSync(file, mode);
    } finally {
      closeSync(file);
    }
  });
}

/** Renames within the tree; what has the new name is removed first. False: there was nothing to move. */
export async function moveBeneath(root: string, from: string, to: string): Promise<boolean> {
  try {
    return await within(root, from, 'rename', async (source, oldName) =>
      within(root, to, 'rename', async (target, newName) => {
        await lstat(source.at(oldName));
        await removeName(target, newName);
        await rename(source.at(oldName), target.at(newName));
        return true;
      }),
    );
  } catch (error) {
    if (error instanceof Fault && error.kind === 'not_found') return false;
    throw error;
  }
}

/** Removes a file or a whole tree, itself included; links are removed, not followed. Missing is fine. */
export async function removeBeneath(root: string, path: string): Promise<void> {
  try {
    await within(root, path, 'unlink', async (directory, name) => {
      if (name === '') throw new Fault('invalid', `${root} itself is not removed`);
      await removeName(directory, name);
    });
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== 'not_found') throw error;
  }
}

/** As deep as descriptors are held open; what lies deeper is first moved up. */
const deepest = 32;

async function removeName(directory: Directory, name: Name): Promise<void> {
  const at = directory.at(name);
  const stats = await lstat(at).catch(ignoreMissing);
  if (stats === undefined) return;
  if (!stats.isDirectory()) return void (await unlink(at).catch(ignoreMissing));
  await letIn(at, stats);
  const top = directory.child(name);
  try {
    for (let names = await top.names(); names.length > 0; names = await top.names())
      for (const inner of names) await removeBelow(top, top, inner, 1);
  } finally {
    await top.close();
  }
  await rmdir(at).catch(ignoreMissing);
}

async function removeBelow(top: Directory, directory: Directory, name: Name, depth: number): Promise<void> {
  const at = directory.at(name);
  const stats = await lstat(at).catch(ignoreMissing);
  if (stats === undefined) return;
  if (!stats.isDirectory()) return void (await unlink(at).catch(ignoreMissing));
  await letIn(at, stats);
  if (depth === deepest) return void (await rename(at, top.at(`.${randomUUID()}`)).catch(ignoreMissing));
  const child = directory.child(name);
  try {
    for (const inner of await child.names()) await removeBelow(top, child, inner, depth + 1);
  } finally {
    await child.close();
  }
  await rmdir(at).catch(ignoreMissing);
}

/** Without root the owner of a tree can have shut itself, and so us, out of a directory. */
async function letIn(at: string | Buffer, stats: Stats): Promise<void> {
  if (!byDescriptor || (stats.mode & 0o700) === 0o700 || process.geteuid?.() !== stats.uid) return;
  const named = await open(at, O_PATH | O_NOFOLLOW | O_DIRECTORY);
  try {
    await chmod(`/proc/self/fd/${named.fd}`, 0o700);
  } finally {
    await named.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
