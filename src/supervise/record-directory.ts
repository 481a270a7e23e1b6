import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, isFault, messageOf } from '../lib/fault.ts';
import type { ExitRecord, KillUnit, StartRecord } from './contract.ts';
import { exitRecord, parseJson } from './exit-record.ts';
import { bootId } from './this-host.ts';

/**
 * The files of a record directory. `start.json` is the intent: written and synced before anything is started, it says what
 * must be found or killed afterwards. It holds no environment and no instructions: those may be secret.
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

async function sync(directory: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(directory, constants.O_RDONLY);
    await handle.sync();
  } catch (error) {
    if (process.platform === 'linux') throw error;
  } finally {
    await handle?.close();
  }
}

/** Makes the directory and writes the intent. `Fault('exists')` where there is one already: a generation is started once. */
export async function writeIntent(record: StartRecord): Promise<void> {
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
  await mkdir(record.directory, { recursive: true, mode: 0o700 });
  let file: FileHandle;
  try {
    file = await open(join(record.directory, 'start.json'), 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(record.directory, error);
    throw new Fault('exists', `${record.directory} already holds a start`);
  }
  try {
    await file.writeFile(JSON.stringify(intent));
    // both go with one commit of the file system's journal
    await Promise.all([file.sync(), sync(record.directory)]);
  } catch (error) {
    throw unusable(record.directory, error);
  } finally {
    await file.close();
  }
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

export async function readShimIdentity(directory: string): Promise<ShimIdentity | null> {
  const content = await text(directory, 'shim.pid');
  if (content === null || content === '') return null;
  const value = parseJson(content);
  return {
    pid: Number(value['pid']),
    startTime: BigInt(String(value['startTime'])),
    bootId: String(value['bootId']),
    kind: value['kind'] === 'typescript' ? 'typescript' : 'native',
  };
}

/** Null: no record. A record that is there but cannot be read is `Fault('invalid')`. */
export async function readExitRecord(directory: string): Promise<ExitRecord | null> {
  const content = await text(directory, 'exit.json');
  return content === null ? null : exitRecord(parseJson(content));
}
