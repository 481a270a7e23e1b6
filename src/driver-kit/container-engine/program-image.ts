/** A native program of ours as an image of the engine, named after what is in it; made once, for there is no registry that has it. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isFault } from '../../lib/fault.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import type { EngineClient } from './engine-client.ts';

const run = promisify(execFile);

export interface ProgramImage {
  /** Without a tag: `"drover/pause"`. */
  readonly name: string;
  /** Host path; in the image `/<its name>`. */
  readonly program: string;
  /** Empty ones of root's, and below them those that anybody may write to. */
  readonly directories: readonly string[];
  readonly open: readonly string[];
  /** Where the program lies a second time, to be run as uid 1 by whoever starts it; absent: nowhere. */
  readonly setuid?: string;
}

/** Its name for the engine. */
export async function programImage(client: EngineClient, image: ProgramImage, signal: AbortSignal): Promise<string> {
  const content = await readFile(image.program);
  const digest = createHash('sha256')
    .update(content)
    .update(JSON.stringify([image.directories, image.open, image.setuid]))
    .digest('hex')
    .slice(0, 12);
  const repo = `${image.name}-${digest}`;
  try {
    await client.json('GET', `/images/${encodeURIComponent(`${repo}:latest`)}/json`, { signal });
    return `${repo}:latest`;
  } catch (error) {
    if (!isFault(error, 'not_found')) throw error;
  }
  const directory = await mkdtemp(join(tmpdir(), 'drover-image-'));
  try {
    await client.text('POST', '/images/create', {
      query: { fromSrc: '-', repo, tag: 'latest' },
      headers: { 'Content-Type': 'application/x-tar' },
      body: createReadStream(await archive(directory, image)),
      signal,
    });
    return `${repo}:latest`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Ids are written into it, not taken from files: who makes it need not be root. */
async function archive(directory: string, { program, directories, open, setuid }: ProgramImage): Promise<string> {
  const [root, file] = [join(directory, 'root'), join(directory, 'image.tar')];
  const name = program.slice(program.lastIndexOf('/') + 1);
  await mkdir(root);
  await copyFile(program, join(root, name));
  await chmod(join(root, name), 0o755);
  for (const each of [...directories, ...open]) makeDirectories(join(root, each), 0o755);
  for (const each of open) await chmod(join(root, each), 0o777);
  await run('tar', ['-C', root, '--owner=+0', '--group=+0', '-cf', file, '.']);
  if (setuid !== undefined) {
    await copyFile(program, join(root, setuid));
    await chmod(join(root, setuid), 0o4755);
    await run('tar', ['-C', root, '--owner=+1', '--group=+1', '-rf', file, `./${setuid}`]);
  }
  return file;
}
