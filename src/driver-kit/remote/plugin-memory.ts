/**
 * What a plugin said of itself when it was last up, kept beside its record: an agent that starts again knows which driver a slow plugin
 * is going to be, and does not take its tasks for lost.
 */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DriverInfo } from '../../driver/contract.ts';
import { type Spec, SpecSchema } from '../../driver/gen/nomad/hclspec_pb.ts';
import type { OpenPlugin } from './open-plugin.ts';

export interface Known {
  readonly driver: {
    readonly info: DriverInfo;
    readonly signal: boolean;
    readonly exec: boolean;
    readonly createNetwork: boolean;
  };
  readonly taskSchema: Spec | undefined;
}

const file = 'known.json';

/** Null: it was never up, or what is there cannot be read. */
export function readKnown(directory: string): Known | null {
  try {
    const { driver, taskSchema } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as {
      driver: Known['driver'];
      taskSchema: string;
    };
    if (typeof driver.info.name !== 'string' || driver.info.name === '') return null;
    return {
      driver,
      taskSchema: taskSchema === '' ? undefined : fromBinary(SpecSchema, Buffer.from(taskSchema, 'base64')),
    };
  } catch {
    return null;
  }
}

export async function writeKnown(directory: string, { driver, taskSchema }: OpenPlugin): Promise<void> {
  const { info, signal, exec, createNetwork } = driver;
  const flags = { signal: signal !== undefined, exec: exec !== undefined, createNetwork: createNetwork !== undefined };
  const schema = taskSchema === undefined ? '' : Buffer.from(toBinary(SpecSchema, taskSchema)).toString('base64');
  const path = join(directory, file);
  await writeFile(`${path}.new`, JSON.stringify({ driver: { info, ...flags }, taskSchema: schema }), { mode: 0o600 });
  await rename(`${path}.new`, path);
}
