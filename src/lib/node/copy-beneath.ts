/** Copies out of trees that tasks write to. */
import { createWriteStream } from 'node:fs';
import { chmod, lchown, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Fault } from '../fault.ts';
import { type Entry, listBeneath, openBeneath, readLinkBeneath } from './safe-path.ts';

export interface CopyLimits {
  /** Of all files. */
  readonly bytes: number;
  readonly entries: number;
}

/**
 * A directory with all below it, to `to`, which is the caller's alone and not there yet. No link is followed, whoever exchanges what
 * meanwhile: links are copied as links. Modes are kept, and owners where this process is root; sockets, FIFOs and devices are left out.
 * `Fault('invalid')`: more than the limits.
 */
export async function copyBeneath(
  root: string,
  path: string,
  to: string,
  limits: CopyLimits,
  signal: AbortSignal,
): Promise<void> {
  let [bytes, entries] = [0, 0];
  const isRoot = process.geteuid?.() === 0;
  const tooLarge = (limit: string) => new Fault('invalid', `${path} has more than ${limit}`);

  async function copyFile(from: string, target: string): Promise<void> {
    const file = await openBeneath(root, from);
    const counted = async function* (parts: AsyncIterable<Buffer>) {
      for await (const part of parts) {
        bytes += part.length;
        if (bytes > limits.bytes) throw tooLarge(`${limits.bytes} bytes`);
        yield part;
      }
    };
    await pipeline(file.createReadStream(), counted, createWriteStream(target, { flags: 'wx', mode: 0o600 }), {
      signal,
    });
  }

  async function copyEntry({ name, stats }: Entry, directory: string, into: string): Promise<void> {
    signal.throwIfAborted();
    if (++entries > limits.entries) throw tooLarge(`${limits.entries} files`);
    const [from, target] = [join(directory, name), join(into, name)];
    if (stats.isDirectory()) await copyDirectory(from, target);
    else if (stats.isFile()) await copyFile(from, target);
    else if (stats.isSymbolicLink()) await symlink(await readLinkBeneath(root, from), target);
    else return;
    if (isRoot) await lchown(target, stats.uid, stats.gid);
    if (!stats.isSymbolicLink()) await chmod(target, stats.mode & 0o7777);
  }

  async function copyDirectory(from: string, target: string): Promise<void> {
    await mkdir(target, { mode: 0o700 });
    for (const entry of await listBeneath(root, from)) await copyEntry(entry, from, target);
  }

  await copyDirectory(path, to);
}
