import { closeSync, constants, fsync, openSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import type { ExitRecord, KillUnit, StartRecord } from './contract.ts';
import { exitRecord, parseJson } from './exit-record.ts';
import { bootId } from './this-host.ts';

/**
 * The files of a record directory. `start.json` is the intent: written before anything is started and on the disk before the command is let
 * go, it says what must be found or killed afterwards. It holds no environment and no instructions: those may be secret.
 */
export interface Intent {
  readonly version: 1;
  readonly id: string;
  readonly bootId: string;
  /** Unix milliseconds. */
  readonly writtenAt: number;
  readonly launcher: StartRecord['launcher'];
  readonly killUnit: KillUnit;
  readonly cgroups: readonly string[];
  readonly output: StartRecord['output'];
}

export interface ShimIdentity {
  readonly pid: number;
  readonly startTime: bigint;
  readonly bootId: string;
  readonly kind: 'native' | 'typescript';
}

const synced = promisify(fsync);

async function syncDirectory(directory: string): Promise<void> {
  let opened: number | undefined;
  try {
    opened = openSync(directory, constants.O_RDONLY);
    await synced(opened);
  } catch (error) {
    if (process.platform === 'linux') throw error;
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

/**
 * Makes the directory and writes the intent, at once; resolves when it is on the disk. `Fault('exists')` where there is one already: a
 * generation is started once. A shim without a command (a collector of output) is only looked for while the host is up: its intent need
 * not outlive that, and others' starts do not wait behind it for the disk.
 */
export function writeIntent(record: StartRecord): Promise<void> {
  const intent: Intent = {
    version: 1,
    id: record.id,
    bootId: bootId(),
    writtenAt: Date.now(),
    launcher: record.launcher,
    killUnit: record.killUnit,
    cgroups: record.cgroups,
    output: record.output,
  };
  let file: number;
  try {
    makeDirectories(record.directory, 0o700);
    file = openSync(join(record.directory, 'start.json'), 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(record.directory, error);
    throw new Fault('exists', `${record.directory} already holds a start`);
  }
  try {
    writeWhole(file, JSON.stringify(intent));
  } catch (error) {
    closeSync(file);
    throw unusable(record.directory, error);
  }
  if (record.launcher.kind !== 'none') return stored(record.directory, file);
  closeSync(file);
  return Promise.resolve();
}

async function stored(directory: string, file: number): Promise<void> {
  try {
    // both go with one commit of the file system's journal
    await Promise.all([synced(file), syncDirectory(directory)]);
  } catch (error) {
    throw unusable(directory, error);
  } finally {
    closeSync(file);
  }
}

function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

function unusable(directory: string, error: unknown): Fault {
  return new Fault('unavailable', `the record directory ${directory} cannot be written: ${messageOf(error)}`, {
    cause: error,
    recoverable: true,
  });
}

async function text(directory: string, name: string): Promise<string | null> {
  try {
    return await readFile(join(directory, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Fault('unavailable', `${name}: ${messageOf(error)}`, { cause: error });
  }
}

/** The intent; null where there is none or it was torn by a crash (then nothing was started). */
export async function readIntent(directory: string): Promise<Intent | null> {
  const content = await text(directory, 'start.json');
  if (content === null) return null;
  try {
    const value = parseJson(content) as Partial<Intent>;
    return value.version === 1 && typeof value.bootId === 'string' && value.killUnit !== undefined
      ? (value as Intent)
      : null;
  } catch (error) {
    if (isFault(error)) return null;
    throw error;
  }
}

/**
 * Who signed the directory; null where nobody did, or the signature was torn by a crash. `Fault('unavailable')` where it cannot be read:
 * whoever took that for null would start a second instance.
 */
export async function readShimIdentity(directory: string): Promise<ShimIdentity | null> {
  const content = await text(directory, 'shim.pid');
  if (content === null) return null;
  try {
    const value = parseJson(content);
    return {
      pid: Number(value['pid']),
      startTime: BigInt(String(value['startTime'])),
      bootId: String(value['bootId']),
      kind: value['kind'] === 'typescript' ? 'typescript' : 'native',
    };
  } catch {
    return null;
  }
}

/** Null: no record. A record that is there but cannot be read is `Fault('invalid')`. */
export async function readExitRecord(directory: string): Promise<ExitRecord | null> {
  const content = await text(directory, 'exit.json');
  return content === null ? null : exitRecord(parseJson(content));
}
