/** What of the host a container sees. A relative source is the task's own; any other is the operator's to allow. */
import { realpath } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { TaskConfig } from '../../driver/contract.ts';
import type { OwnSource } from '../../driver-kit/container-engine/own-sources.ts';
import { mayCome } from '../../driver-kit/rehearsal.ts';
import { Fault } from '../../lib/fault.ts';
import { denied } from './gates.ts';
import type { MountOption, PluginOptions, TaskOptions } from './options.ts';

export interface ContainerMounts {
  /** `"source:target[:mode]"` */
  readonly binds: readonly string[];
  /** In the engine's form. */
  readonly mounts: readonly Readonly<Record<string, unknown>>[];
  /** Targets that are not read-only. */
  readonly writable: readonly string[];
  /** Sources that other tasks of the allocation may exchange. */
  readonly own: readonly OwnSource[];
}

export async function mountsOf(
  task: TaskConfig,
  plugin: PluginOptions,
  options: TaskOptions,
): Promise<ContainerMounts> {
  const { directories } = task;
  const label = plugin.volumes?.selinuxlabel ?? '';
  const bind = (source: string, target: string, mode = ''): string =>
    [source, target, [mode, label].filter((each) => each !== '').join(',')].filter((each) => each !== '').join(':');
  const usual = [
    { path: directories.shared, target: '/alloc', mode: '' },
    // a task must not rewrite what the agent keeps of it
    { path: directories.logs, target: '/alloc/logs', mode: 'ro' },
    { path: directories.local, target: '/local', mode: '' },
    { path: directories.secrets, target: '/secrets', mode: '' },
  ];
  const own: OwnSource[] = usual.map(({ path, target }) => ({ path, target, exact: true }));
  /** A source as the engine gets it. */
  const sourceAt = async (source: string, target: string): Promise<string> => {
    if (plugin.volumes?.enabled === true) return pathOf(source, task);
    const path = await ownPath(source, task);
    own.push({ path, target, exact: false });
    return path;
  };
  const volumes = await Promise.all(options.volumes.map((each) => volume(each, plugin, options, { sourceAt, bind })));
  const given = await Promise.all([...options.mounts, ...options.mount].map((each) => mountOf(each, plugin, sourceAt)));
  const hostVolumes = task.mounts.map((each) => ({
    Type: 'bind',
    Source: each.hostPath,
    Target: each.taskPath,
    ReadOnly: each.readOnly,
    BindOptions: { Propagation: propagation(each.propagation) },
  }));
  const mounts = [...given, ...hostVolumes];
  for (const each of mounts) checkPaths(each);
  return {
    binds: [...usual.map(({ path, target, mode }) => bind(path, target, mode)), ...volumes.map((each) => each.bind)],
    mounts,
    writable: [
      ...['/alloc', '/local', '/secrets'],
      ...volumes.filter((each) => !each.readOnly).map((each) => each.target),
      ...mounts.filter((each) => each['ReadOnly'] !== true).map((each) => String(each['Target'])),
    ],
    own,
  };
}

/** Podman writes a mount as one line of options and reads that again: behind a comma a job's target named a source of the host's. */
function checkPaths(mount: Readonly<Record<string, unknown>>): void {
  for (const name of ['Source', 'Target'])
    if (/[,"\r\n]/.test(String(mount[name])))
      throw new Fault('invalid', `mounts: ${JSON.stringify(mount[name])}: a path has no comma, quote or line break`);
}

function propagation(mode: TaskConfig['mounts'][number]['propagation']): string {
  if (mode === 'host-to-task') return 'rslave';
  return mode === 'bidirectional' ? 'rshared' : 'rprivate';
}

async function volume(
  text: string,
  plugin: PluginOptions,
  options: TaskOptions,
  { sourceAt, bind }: { readonly sourceAt: SourceAt; bind(source: string, target: string, mode?: string): string },
): Promise<{ readonly bind: string; readonly target: string; readonly readOnly: boolean }> {
  const [source = '', target = '', mode = ''] = text.split(':');
  if (source === '' || !isAbsolute(target))
    throw new Fault('invalid', `volumes: ${JSON.stringify(text)} is not "source:/target" or "source:/target:ro"`);
  const readOnly = mode.split(',').includes('ro');
  if (options.volume_driver !== '') {
    if (plugin.volumes?.enabled !== true) throw denied('volume drivers', 'volumes { enabled = true }');
    return { bind: bind(source, target, mode), target, readOnly };
  }
  const further = mode.split(',').find((each) => !ownModes.includes(each));
  if (further !== undefined && plugin.volumes?.enabled !== true)
    throw denied(`volumes: mode ${JSON.stringify(further)}`, 'volumes { enabled = true }');
  return { bind: bind(await sourceAt(source, target), target, mode), target, readOnly };
}

/** Others, of podman's: `upperdir=` is a path of the host's that is written to, `U` gives what is there to another user. */
const ownModes =
  ' ro rw z Z nocopy cached delegated consistent private rprivate slave rslave noexec nosuid nodev'.split(' ');

type SourceAt = (source: string, target: string) => Promise<string>;

function pathOf(source: string, task: TaskConfig): string {
  return isAbsolute(source) ? resolve(source) : resolve(join(task.directories.task, source));
}

/**
 * A path below the task's allocation, links followed. A task may have put a link where a later start looks: what it leads to counts, not
 * what it is called.
 */
async function ownPath(source: string, task: TaskConfig): Promise<string> {
  const path = pathOf(source, task);
  const outside = denied(
    `volumes are not enabled; the host's path ${JSON.stringify(source)}`,
    'volumes { enabled = true }',
  );
  if (!below(task.directories.allocation, path)) throw outside;
  if (mayCome(task, path)) return path;
  const root = await realpath(task.directories.allocation);
  const real = await realpath(path).catch(() => null);
  if (real === null) throw new Fault('invalid', `volumes: ${JSON.stringify(source)} is not there`);
  if (!below(root, real)) throw outside;
  return real;
}

function below(root: string, path: string): boolean {
  const from = relative(root, path);
  return from === '' || (!from.startsWith('..') && !isAbsolute(from));
}

async function mountOf(
  given: MountOption,
  plugin: PluginOptions,
  sourceAt: SourceAt,
): Promise<Readonly<Record<string, unknown>>> {
  const { type, target, source, readonly } = given;
  if (target === '') throw new Fault('invalid', 'mounts: a target is needed');
  const whole = { Type: type, Target: isAbsolute(target) ? target : `/${target}`, ReadOnly: readonly };
  if (type === 'bind') {
    const options = given.bind_options?.propagation
      ? { BindOptions: { Propagation: given.bind_options.propagation } }
      : {};
    return { ...whole, Source: await sourceAt(source, whole.Target), ...options };
  }
  if (type === 'tmpfs') {
    const { size = 0, mode = 0 } = given.tmpfs_options ?? {};
    if (source !== '') throw new Fault('invalid', 'mounts: a tmpfs has no source');
    return { ...whole, TmpfsOptions: { SizeBytes: size, ...(mode === 0 ? {} : { Mode: mode }) } };
  }
  if (type !== 'volume')
    throw new Fault('invalid', `mounts: type is "volume", "bind" or "tmpfs", not ${JSON.stringify(type)}`);
  const { no_copy: noCopy = false, labels = {}, driver_config: driver } = given.volume_options ?? {};
  // a volume "driver" can mount any path of the host
  if (driver && Object.keys(driver.options).length > 0 && plugin.volumes?.enabled !== true)
    throw denied('options of a volume driver', 'volumes { enabled = true }');
  const config = driver ? { DriverConfig: { Name: driver.name, Options: driver.options } } : {};
  return { ...whole, Source: source, VolumeOptions: { NoCopy: noCopy, Labels: labels, ...config } };
}
