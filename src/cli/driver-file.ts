/** A driver as its author's file has it: what it exports by default, or what it serves. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DriverPlugin, isDriverPlugin } from '../driver-kit/driver-plugin.ts';
import { divertStdout } from '../driver-kit/serve/divert-stdout.ts';
import { captureServed } from '../driver-kit/serve/serve-program.ts';
import { CommandError } from './command.ts';
import { importModule } from './import-module.ts';
import { moduleProblem } from './module-problem.ts';

export interface DriverFile {
  /** Absolute. */
  readonly path: string;
  readonly plugin: DriverPlugin;
  /** True: the file calls `serve` by itself. */
  readonly serves: boolean;
}

/** By its ending: everything else is a program that is run as it is. */
export const isDriverFile = (word: string): boolean => /\.[cm]?[jt]s$/.test(word);

/** `CommandError`: it is not there, does not load, or holds no driver; the message names the line of the file. */
export async function loadDriverFile(word: string): Promise<DriverFile> {
  const path = resolve(word);
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile()) throw new CommandError(`there is no driver's file ${word}`);
  let served: DriverPlugin | null = null;
  captureServed((plugin) => {
    served = plugin;
  });
  let exported: unknown;
  // of a page, a report, a path: what the author's modules say while they are loaded is none of it
  const restore = divertStdout();
  try {
    exported = (await importModule(path)).default;
  } catch (error) {
    throw new CommandError(`${word} cannot be loaded: ${moduleProblem(error, path)}`);
  } finally {
    restore();
    captureServed(null);
  }
  const plugin = served ?? exported;
  if (!isDriverPlugin(plugin))
    throw new CommandError(
      `${word} holds no driver: it has to export one, as in \`export default defineDriver({ name, version, config, start })\``,
    );
  return { path, plugin, serves: served !== null };
}

/** This very program, to be started again; the packaged executable runs its own main by path. */
export function ownCommand(): readonly string[] {
  const main = process.argv[1] ?? '';
  const packaged = main === '' || main === process.execPath;
  return [process.execPath, packaged ? fileURLToPath(new URL('./main.js', import.meta.url)) : main];
}

/** The command line that serves a word: a driver's file or a built-in by this program, anything else as it is. */
export function pluginCommand(
  words: readonly string[],
  builtIn: readonly string[],
  stateDirectory: string,
): readonly string[] {
  const [first = ''] = words;
  const serve = [...ownCommand(), 'driver', 'serve', '-state-dir', stateDirectory];
  if (isDriverFile(first)) return [...serve, resolve(first), ...words.slice(1)];
  if (words.length === 1 && builtIn.includes(first)) return [...serve, first];
  return [first.includes('/') ? resolve(first) : first, ...words.slice(1)];
}
