/** What of a plugin_dir is a plugin: each executable regular file directly in it that a `plugin` block names. */
import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';

export interface FoundPlugin {
  /** The file's name, without `.exe`. */
  readonly name: string;
  readonly path: string;
}

/** By their blocks' names. */
type Blocks = { readonly [name: string]: { readonly enabled: boolean } };

/** So many of what is passed over are named; of the others it is said how many there are. */
const mostNamed = 20;

/** A directory that is not there holds none. What is passed over is said in the log, with the reason. */
export async function findPlugins(directory: string, blocks: Blocks, log: Log): Promise<FoundPlugin[]> {
  const found = new Map<string, FoundPlugin>();
  let over = 0;
  for (const entry of await entriesOf(directory, log)) {
    const path = join(directory, entry);
    const name = entry.replace(/\.exe$/, '');
    const known = found.has(name) ? `there is ${name} beside it` : null;
    const reason = known ?? (await passedOver(path, Object.hasOwn(blocks, name) ? blocks[name] : undefined));
    if (reason === null) found.set(name, { name, path });
    else if (++over <= mostNamed) log.warn('a file in plugin_dir is passed over', { file: entry, reason });
  }
  if (over > mostNamed) log.warn('more files in plugin_dir are passed over', { directory, count: over - mostNamed });
  return [...found.values()];
}

async function entriesOf(directory: string, log: Log): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') log.debug('there is no plugin_dir', { directory });
    else log.warn('plugin_dir cannot be read: it gives no drivers', { directory, reason: messageOf(error) });
    return [];
  }
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
