/** The files one machine is made of, in a directory that is the agent's alone: they are seen through mounts of its monitor's sandbox. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { TaskConfig, TaskMount } from '../../driver/contract.ts';
import { Fault } from '../../lib/fault.ts';
import { type CopyLimits, copyBeneath } from '../../lib/node/copy-beneath.ts';
import { makeDirectories } from '../../lib/node/directories.ts';
import { listBeneath, openBeneath, readBeneath } from '../../lib/node/safe-path.ts';
import { spawn } from '../../lib/node/spawn.ts';
import { endSize, type MachineFile, readEnd, type StartOrder, startDisk, startLimit } from './start-disk.ts';

const run = promisify(execFile);
const megabyte = 1024 * 1024;

/** Where the monitor sees them. */
export const seen = {
  kernel: '/microvm/kernel',
  initrd: '/microvm/initrd',
  root: '/microvm/root',
  local: '/microvm/local',
  end: '/microvm/end',
} as const;

type Part = keyof typeof seen;

const startName = '.microvm-start';
/** Where secrets are, in memory: it holds them. */
export const seenStart = `/secrets/${startName}`;

export class Disks {
  readonly #directory: string;
  readonly #start: string;

  /** `root`: the agent's own, outside of what tasks see. */
  constructor(root: string, task: Pick<TaskConfig, 'id' | 'directories'>) {
    this.#directory = directoryOf(root, task.id);
    this.#start = join(task.directories.secrets, startName);
  }

  async make(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    makeDirectories(this.#directory, 0o711);
    await writeFile(this.#path('end'), Buffer.alloc(endSize), { mode: 0o666 });
    await chmod(this.#path('end'), 0o666);
  }

  async writeInitrd(content: Buffer): Promise<void> {
    await writeFile(this.#path('initrd'), content, { mode: 0o644 });
  }

  async writeStart(order: StartOrder): Promise<void> {
    const content = startDisk(order);
    if (content.length > startLimit)
      throw new Fault(
        'invalid',
        `command, variables and secrets are ${content.length} bytes; a machine takes ${startLimit}`,
      );
    await rm(this.#start, { force: true });
    await writeFile(this.#start, content, { mode: 0o644, flag: 'wx' });
  }

  /** A file system with what a directory holds, which nobody else changes meanwhile, and so much room beside it. Links are kept as links. */
  async writeFilesystem(part: 'root' | 'local', from: string, roomMb: number, signal: AbortSignal): Promise<void> {
    const { stdout } = await tool('du', ['-sk', '--apparent-size', '--', from], signal);
    const sizeMb = Math.ceil((Number.parseInt(stdout, 10) / 1024) * 1.25) + Math.max(1, roomMb) + 4;
    const path = this.#path(part);
    await writeFile(path, '', { mode: 0o666 });
    await truncate(path, sizeMb * megabyte);
    await tool(
      'mke2fs',
      ['-q', '-F', '-t', 'ext4', '-m', '0', '-O', '^has_journal', '-E', 'root_owner=0:0', '-d', from, path],
      signal,
    );
    await chmod(path, 0o666);
  }

  /** For the files of an image while it is turned into a disk; nobody but the agent sees them. */
  async makeImageDirectory(): Promise<string> {
    const path = join(this.#directory, 'image');
    await mkdir(path, { mode: 0o700 });
    return path;
  }

  /** The same with the files of a directory that tasks may write to; the path of the copy. */
  async copyDirectory(from: string, allocation: string, limits: CopyLimits, signal: AbortSignal): Promise<string> {
    const path = this.#path('image');
    await copyBeneath(allocation, relative(allocation, from), path, limits, signal);
    return path;
  }

  get heldImage(): string {
    return this.#path('held');
  }

  /** A file that tasks may exchange, held under a name of the agent's own: the same file where it is on the same disk, else a copy. */
  async holdImage(from: string, allocation: string, signal: AbortSignal): Promise<void> {
    const file = await openBeneath(allocation, relative(allocation, from));
    const path = this.heldImage;
    try {
      await new Promise<void>((resolve, reject) => {
        const script =
          'ln -L /proc/self/fd/3 "$1" 2>/dev/null || cp -p --reflink=auto --sparse=always /proc/self/fd/3 "$1"';
        const child = spawn('sh', ['-c', script, 'sh', path], { stdio: ['ignore', 'ignore', 'pipe', file.fd], signal });
        let said = '';
        child.stderr!.on('data', (part) => (said = `${said}${part}`.slice(0, 1000)));
        child.on('error', reject);
        child.on('close', (code) =>
          code === 0 ? resolve() : reject(new Fault('unavailable', `the image ${from} cannot be held: ${said.trim()}`)),
        );
      });
    } finally {
      await file.close();
    }
  }

  async removeImageDirectory(): Promise<void> {
    await rm(this.#path('image'), { recursive: true, force: true });
  }

  /** `kernel`, and where it is an image the root file system, are others' files. */
  mounts(kernel: string, rootImage: string | null): readonly TaskMount[] {
    const paths: Readonly<Record<Part, string>> = {
      kernel,
      initrd: this.#path('initrd'),
      root: rootImage ?? this.#path('root'),
      local: this.#path('local'),
      end: this.#path('end'),
    };
    const written: readonly Part[] = rootImage === null ? ['root', 'local', 'end'] : ['local', 'end'];
    return (Object.keys(seen) as Part[]).map((part) => ({
      taskPath: seen[part],
      hostPath: paths[part],
      readOnly: !written.includes(part),
      propagation: '',
    }));
  }

  async end(): Promise<ReturnType<typeof readEnd>> {
    const disk = await readFile(this.#path('end')).catch(() => null);
    return disk === null ? null : readEnd(disk);
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    await rm(this.#start, { force: true });
  }

  #path(part: Part | 'image' | 'held'): string {
    return join(this.#directory, part);
  }
}

/** Of a task whose directories nobody knows any more. */
export async function removeDisks(root: string, taskId: string): Promise<void> {
  await rm(directoryOf(root, taskId), { recursive: true, force: true });
}

function directoryOf(root: string, taskId: string): string {
  return join(root, taskId.replaceAll('/', '.'));
}

/** What is in a task's secrets directory, links and odd files left out. */
export async function secretFiles(root: string, below = ''): Promise<readonly MachineFile[]> {
  const found: MachineFile[] = [];
  for (const { name, stats } of await listBeneath(root, below)) {
    const path = join(below, name);
    if (path === startName) continue;
    if (stats.isDirectory()) found.push(...(await secretFiles(root, path)));
    if (stats.isFile()) found.push({ path: join('/secrets', path), content: await readBeneath(root, path) });
  }
  return found;
}

async function tool(name: string, args: readonly string[], signal: AbortSignal) {
  try {
    return await run(name, [...args], { signal, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' } });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr = '', message = '' } = error as { readonly stderr?: string; readonly message?: string };
    throw new Fault('unavailable', `${name}: ${stderr.trim().split('\n').at(-1) || message}`, { cause: error });
  }
}
