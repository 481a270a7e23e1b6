/**
 * Where a plugin's sockets are, for all its lives: what a plugin starts for its tasks (an executor of Nomad's own drivers) listens there
 * too, and the next plugin process has to find it.
 */
import { lstat, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';

const recordFile = 'sockets';

/** The one of a plugin's directory: that of a former life where it is still there, else a new one (`fresh`). */
export async function socketDirectoryOf(
  directory: string,
): Promise<{ readonly path: string; readonly fresh: boolean }> {
  const record = join(directory, recordFile);
  const known = await readFile(record, 'utf8').catch(() => '');
  if (known !== '' && (await isOurs(known))) return { path: known, fresh: false };
  // short, for a socket's path has 107 bytes; private, for whoever connects commands the driver
  const made = await mkdtemp(join(tmpdir(), 'drover-plugin-'));
  await writeFile(record, made, { mode: 0o600 });
  return { path: made, fresh: true };
}

/** A plugin's process has ended: its own socket goes, then each directory above it in which nothing else is left. What cannot be removed stays. */
export async function leaveSocketDirectory(socketDirectory: string, target: string): Promise<void> {
  const socket = normalize(target.replace(/^unix:/, ''));
  const inside = socket.startsWith(`${socketDirectory}/`);
  if (inside) await rm(socket, { force: true }).catch(() => {});
  for (let at = inside ? dirname(socket) : socketDirectory; at.length >= socketDirectory.length; at = dirname(at))
    await rmdir(at).catch(() => {});
}

/** With all that is in it: nothing of the plugin runs any more, nor of its tasks. */
export async function removeSocketDirectory(directory: string): Promise<void> {
  const known = await readFile(join(directory, recordFile), 'utf8').catch(() => '');
  if (known !== '' && (await isOurs(known))) await rm(known, { recursive: true, force: true });
}

/** In a directory that anybody may write to, a name alone says nothing of who made what stands there. */
async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}
