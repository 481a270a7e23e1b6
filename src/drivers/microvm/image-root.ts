/**
 * The layers of an image, one on the other, in a directory that is the agent's alone: nobody else changes it meanwhile, so that a path can
 * be looked at before it is used. Whatever an archive names stays below that directory. Source: the OCI image-layer document.
 */
import { chmod, lchown, link, lstat, mkdir, open, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { Fault } from '../../lib/fault.ts';
import { streamSource } from '../../lib/node/byte-source.ts';
import { readTar, type TarEntry } from '../../lib/tar.ts';
import type { ArchivedImage } from './image-archive.ts';

export interface ImageLimits {
  /** Of all layers unpacked, what later layers take away again among it. */
  readonly bytes: number;
  readonly entries: number;
}

const removed = '.wh.';
const removedAll = '.wh..wh..opq';
const mostLinks = 40;
const deepest = 256;

/** `root`: an empty directory. `Fault('denied')`: a path leads out of it; `Fault('invalid')`: damaged, or larger than the limits. */
export async function unpackImage(
  { layers }: Pick<ArchivedImage, 'layers'>,
  root: string,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<void> {
  const tree = new ImageRoot(root);
  let [bytes, entries] = [0, 0];
  for (const layer of layers) {
    const source = streamSource(
      counted(layer(), (length) => {
        signal.throwIfAborted();
        bytes += length;
        if (bytes > limits.bytes) throw tooLarge(`${Math.floor(limits.bytes / 1024 / 1024)} MB`);
      }),
    );
    try {
      for await (const entry of readTar(source)) {
        if (++entries > limits.entries) throw tooLarge(`${limits.entries} files`);
        await tree.apply(entry);
      }
      // to the end: the digest is that of all of it
      while ((await source.read(64 * 1024)).length > 0);
    } finally {
      await source.close();
    }
    tree.endLayer();
  }
  await tree.finish();
}

function tooLarge(limit: string): Fault {
  return new Fault('invalid', `the image is larger than image_limit_mb allows: more than ${limit}`);
}

async function* counted(stream: AsyncIterable<Uint8Array>, count: (length: number) => void) {
  for await (const piece of stream) {
    count(piece.length);
    yield piece;
  }
}

type Owned = Pick<TarEntry, 'mode' | 'uid' | 'gid'>;

class ImageRoot {
  readonly #root: string;
  readonly #isRoot = process.geteuid?.() === 0;
  /** Given to directories at the end: one that may not be written still gets what later layers put into it. */
  readonly #directories = new Map<string, Owned>();
  /** Paths that the layer at hand made: a removal is of what was below it. */
  #made = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  endLayer(): void {
    this.#made = new Set();
  }

  async finish(): Promise<void> {
    for (const [path, owned] of [...this.#directories].reverse())
      if ((await lstat(path).catch(() => null))?.isDirectory() === true) await this.#own(path, owned);
  }

  async apply(entry: TarEntry): Promise<void> {
    const names = namesOf(entry.path);
    const last = names.pop();
    if (last === undefined) {
      if (entry.kind === 'directory') this.#directories.set(this.#root, entry);
      return;
    }
    const parent = await this.#directory(names, entry.path);
    if (last === removedAll) return this.#empty(parent);
    if (last.startsWith(removed)) return this.#remove(parent, last.slice(removed.length), entry.path);
    const path = join(parent, last);
    await this.#put(entry, path);
    for (let at = path; at !== this.#root; at = join(at, '..')) this.#made.add(at);
  }

  async #put(entry: TarEntry, path: string): Promise<void> {
    const there = await lstat(path).catch(() => null);
    if (there !== null && !(entry.kind === 'directory' && there.isDirectory()))
      await rm(path, { recursive: true, force: true });
    if (entry.kind === 'directory') {
      if (there?.isDirectory() !== true) await mkdir(path, 0o700);
      this.#directories.set(path, entry);
    } else if (entry.kind === 'link') {
      await symlink(entry.target, path);
      if (this.#isRoot) await lchown(path, entry.uid, entry.gid);
    } else if (entry.kind === 'hardlink') {
      const names = namesOf(entry.target);
      const target = join(await this.#directory(names.slice(0, -1), entry.target), names.at(-1) ?? '');
      if ((await lstat(target).catch(() => null))?.isFile() !== true)
        throw new Fault('invalid', `the image links ${entry.path} to ${entry.target}, which is no file of it`);
      await link(target, path);
    } else if (entry.kind === 'file') {
      await this.#write(entry, path);
    }
    // devices are the machine's own
  }

  async #write(entry: TarEntry, path: string): Promise<void> {
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const piece of entry.content()) await file.writeFile(piece);
      if (this.#isRoot) await file.chown(entry.uid, entry.gid);
      // after chown, which takes setuid away; seen by nobody but the agent
      await file.chmod(this.#isRoot ? entry.mode : (entry.mode & 0o777) | 0o400);
      await file.utimes(entry.modifiedAt, entry.modifiedAt);
    } finally {
      await file.close();
    }
  }

  async #own(path: string, { mode, uid, gid }: Owned): Promise<void> {
    if (this.#isRoot) await lchown(path, uid, gid);
    await chmod(path, this.#isRoot ? mode : (mode & 0o777) | 0o700);
  }

  async #empty(parent: string): Promise<void> {
    for (const name of await readdir(parent)) {
      const path = join(parent, name);
      if (!this.#made.has(path)) await rm(path, { recursive: true, force: true });
    }
  }

  async #remove(parent: string, name: string, said: string): Promise<void> {
    if (['', '.', '..'].includes(name)) throw leaves(said);
    await rm(join(parent, name), { recursive: true, force: true });
  }

  /** Made where it is not there. Links on the way lead where they would within the image. */
  async #directory(names: readonly string[], said: string): Promise<string> {
    const rest = [...names];
    const here: string[] = [];
    let links = 0;
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      if (name === '..') {
        here.pop();
        continue;
      }
      const path = join(this.#root, ...here, name);
      const there = await lstat(path).catch(() => null);
      if (there?.isSymbolicLink() === true) {
        const target = await readlink(path);
        if (++links > mostLinks) throw new Fault('invalid', `the image has too many links on the way to ${said}`);
        if (isAbsolute(target)) here.length = 0;
        rest.unshift(...target.split('/').filter((each) => each !== '' && each !== '.'));
        continue;
      }
      if (there === null) await mkdir(path, 0o755);
      else if (!there.isDirectory()) throw new Fault('invalid', `the image puts ${said} below a file`);
      here.push(name);
    }
    return join(this.#root, ...here);
  }
}

/** `"./etc/passwd"` → its names; one that climbs is refused, wherever it would end. */
function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..') || path.includes('\0')) throw leaves(path);
  if (names.length > deepest || names.some((name) => Buffer.byteLength(name) > 255))
    throw new Fault('invalid', `the image has a path that is too long: ${path.slice(0, 80)}…`);
  return names;
}

function leaves(path: string): Fault {
  return new Fault('denied', `the image names ${JSON.stringify(path)}, which leads out of its root file system`);
}
