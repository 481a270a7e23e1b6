/** What a machine has for its root file system, from what its task names; and what an image adds to the task's own command. */
import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import type { TaskConfig } from '../../driver/contract.ts';
import { mayCome } from '../../driver-kit/rehearsal.ts';
import { Fault } from '../../lib/fault.ts';
import { readBeneath } from '../../lib/node/safe-path.ts';
import { diskOf } from '../qemu/machine.ts';
import type { Disks } from './disks.ts';
import { type ImageSettings, readImageArchive } from './image-archive.ts';
import { unpackImage } from './image-root.ts';
import type { PluginOptions, TaskOptions } from './options.ts';
import type { StartOrder } from './start-disk.ts';

/** Where a root file system comes from. */
export interface RootSource {
  readonly kind: 'archive' | 'image' | 'directory';
  readonly hostPath: string;
  /** Of the allocation: tasks may exchange it. */
  readonly own: boolean;
}

type Run = Pick<StartOrder, 'command' | 'env' | 'workDir' | 'uid' | 'gid'>;

const noSettings: ImageSettings = { entrypoint: [], command: [], env: [], workDir: '', user: '' };
const mostEntries = 500_000;
const megabyte = 1024 * 1024;

/** What a task names, and whether it says what to run. */
export async function sourceOf(task: TaskConfig, plugin: PluginOptions): Promise<RootSource> {
  const options = task.config as TaskOptions;
  if ((options.rootfs ? 1 : 0) + (options.load ? 1 : 0) !== 1)
    throw new Fault('invalid', 'one of rootfs (a directory or an ext4 image) and load (an archive) is required');
  const { hostPath, own } = await diskOf(task, plugin, options.rootfs || options.load!, false);
  if (options.load) return { kind: 'archive', hostPath, own };
  // what is still to come is taken for a directory, of which less can be said
  const found = await stat(hostPath).catch((error: unknown) => {
    if (mayCome(task, hostPath)) return null;
    throw error;
  });
  const kind = found === null || found.isDirectory() ? 'directory' : 'image';
  if (kind === 'image' || !own) await commandOf(task, noSettings, kind === 'image' ? null : hostPath);
  return { kind, hostPath, own };
}

/** An ext4 image as it is; null: the disks have one of their own. */
export function imageOf(disks: Disks, { kind, hostPath, own }: RootSource): string | null {
  if (kind !== 'image') return null;
  return own ? disks.heldImage : hostPath;
}

/** Makes what `imageOf` names, or the disk. */
export async function makeRoot(
  disks: Disks,
  task: TaskConfig,
  plugin: PluginOptions,
  signal: AbortSignal,
): Promise<Run> {
  const options = task.config as TaskOptions;
  const { kind, hostPath, own } = await sourceOf(task, plugin);
  if (kind === 'archive') return rootOfImage(disks, task, plugin, hostPath, signal);
  const allocation = await realpath(task.directories.allocation);
  if (kind === 'image') {
    if (own) await disks.holdImage(hostPath, allocation, signal);
    return commandOf(task, noSettings, null);
  }
  const limits = limitsOf(plugin);
  const directory = own ? await disks.copyDirectory(hostPath, allocation, limits, signal) : hostPath;
  const run = await commandOf(task, noSettings, directory);
  await disks.writeFilesystem('root', directory, options.disk_mb, signal);
  await disks.removeImageDirectory();
  return run;
}

const limitsOf = ({ image_limit_mb }: PluginOptions) => ({ bytes: image_limit_mb * megabyte, entries: mostEntries });

async function rootOfImage(
  disks: Disks,
  task: TaskConfig,
  plugin: PluginOptions,
  path: string,
  signal: AbortSignal,
): Promise<Run> {
  const options = task.config as TaskOptions;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Fault('invalid', `load: ${options.load} is no file`);
    const image = await readImageArchive(file, options.image ?? '');
    const directory = await disks.makeImageDirectory();
    await unpackImage(image, directory, limitsOf(plugin), signal);
    const run = await commandOf(task, image.settings, directory);
    await disks.writeFilesystem('root', directory, options.disk_mb, signal);
    await disks.removeImageDirectory();
    return run;
  } finally {
    await file.close();
  }
}

/** As with containers: the task's command stands in place of the image's, behind its entry point. */
async function commandOf(task: TaskConfig, image: ImageSettings, root: string | null): Promise<Run> {
  const { command, args, work_dir } = task.config as TaskOptions;
  const given = [...(command ? [command] : []), ...args];
  const words = [...image.entrypoint, ...(given.length > 0 ? given : image.command)];
  if (words.length === 0) throw new Fault('invalid', 'command is required: nothing else says what to run');
  const env = image.env.map((each) => /^([^=]+)=(.*)$/s.exec(each)).filter((each) => each !== null);
  return {
    command: words,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      ...Object.fromEntries(env.map(([, name, value]) => [name!, value!])),
      ...task.env,
    },
    workDir: work_dir || image.workDir || '/',
    ...(await userInside(root, task.user || image.user)),
  };
}

/** `"1000"`, `"1000:100"`, or a name of the root file system's own /etc/passwd; `""`: root of the machine. */
async function userInside(root: string | null, user: string): Promise<{ readonly uid: number; readonly gid: number }> {
  if (user === '') return { uid: 0, gid: 0 };
  const ids = /^(\d+)(?::(\d+))?$/.exec(user);
  if (ids !== null) return { uid: Number(ids[1]), gid: Number(ids[2] ?? ids[1]) };
  const text = root === null ? '' : await passwdOf(root);
  const fields = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user);
  if (fields === undefined)
    throw new Fault('invalid', `user ${JSON.stringify(user)} is not in the machine's /etc/passwd`);
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

async function passwdOf(root: string): Promise<string> {
  return readBeneath(root, 'etc/passwd').then(String, () => '');
}
