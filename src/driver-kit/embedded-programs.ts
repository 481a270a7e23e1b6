/** The native programs inside a built driver (`drover driver build`): unpacked once into a directory that nobody else may write. */
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Fault, messageOf } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import { carryNative } from '../supervise/locate.ts';

/** By system: `{ 'linux-x64': { 'drover-shim': '<base64 of gzip>' } }`. */
export interface CarriedPrograms {
  readonly [system: string]: Readonly<Record<string, string>>;
}

export function carryPrograms(programs: CarriedPrograms): void {
  const own = programs[`${process.platform}-${process.arch}`];
  if (own === undefined) return;
  let place: string | null = null;
  carryNative(() => {
    place ??= unpacked(own);
    return place;
  });
}

function unpacked(programs: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256').update(JSON.stringify(programs)).digest('hex').slice(0, 16);
  const directory = join(base(), hash);
  if (trusted(directory)) return directory;
  const parent = dirname(directory);
  try {
    makeDirectories(parent, 0o755);
    if (!trusted(parent)) throw new Error('others may write there');
    const fresh = mkdtempSync(join(parent, '.unpack-'));
    try {
      for (const [name, text] of Object.entries(programs))
        writeFileSync(join(fresh, name), gunzipSync(Buffer.from(text, 'base64')), { mode: 0o755 });
      chmodSync(fresh, 0o755);
      renameOnto(fresh, directory);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    return directory;
  } catch (error) {
    throw new Fault('unavailable', `the driver's programs cannot be unpacked to ${directory}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Another process may have been first: its copy is the same. */
function renameOnto(fresh: string, directory: string): void {
  try {
    renameSync(fresh, directory);
  } catch (error) {
    if (!trusted(directory)) throw error;
  }
}

function base(): string {
  if (process.getuid?.() === 0) return '/var/lib/drover/programs';
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'drover/programs');
}

function trusted(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && [0, process.getuid?.()].includes(stat.uid) && (stat.mode & 0o022) === 0;
}
