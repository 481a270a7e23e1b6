/** What of a plugin_dir is a plugin: each executable regular file directly in it that a `plugin` block names. */
import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../lib/log.ts';

export interface FoundPlugin {
  /** The file's name, without `.exe`. */
  readonly name: string;
  readonly path: string;
}

/** By their blocks' names. */
type Blocks = { readonly [name: string]: { readonly enabled: boolean } };

/** A directory that is not there holds none. What is passed over is said in the log, with the reason. */
export async function findPlugins(directory: string, blocks: Blocks, log: Log): Promise<FoundPlugin[]> {
  const entries = await readdir(directory).catch(() => null);
  if (entries === null) {
    log.debug('there is no plugin_dir', { directory });
    return [];
  }
  const found: FoundPlugin[] = [];
  for (const entry of entries.sort()) {
    const path = join(directory, entry);
    const name = entry.replace(/\.exe$/, '');
    const reason = await passedOver(path, Object.hasOwn(blocks, name) ? blocks[name] : undefined);
    if (reason === null) found.push({ name, path });
    else log.warn('a file in plugin_dir is passed over', { file: entry, reason });
  }
  return found;
}

async function passedOver(path: string, block: Blocks[string] | undefined): Promise<string | null> {
  const file = await stat(path).catch(() => null);
  if (file === null) return 'it cannot be read (a link to nothing?)';
  if (file.isDirectory()) return 'it is a directory';
  if (!file.isFile()) return 'it is no regular file';
  if ((file.mode & 0o111) === 0) return 'it is not executable';
  if (block === undefined) return 'no plugin block of the configuration names it';
  if (!block.enabled) return 'its plugin block says enabled = false';
  const mayRun = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  return mayRun ? null : 'this agent may not execute it';
}
