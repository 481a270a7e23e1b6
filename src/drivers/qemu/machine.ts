/** A task's options → the emulator's arguments, and what is refused. Source: qemu(1). */
import { realpath } from 'node:fs/promises';
import { basename, isAbsolute, join, relative, resolve } from 'node:path';
import type { TaskConfig } from '../../driver/contract.ts';
import { mayCome } from '../../driver-kit/rehearsal.ts';
import { Fault } from '../../lib/fault.ts';
import { openBeneath } from '../../lib/node/safe-path.ts';
import type { PluginOptions, TaskOptions } from './options.ts';
import { forwards, userNetwork } from './user-network.ts';

const interfaces = ['ide', 'scsi', 'sd', 'mtd', 'floppy', 'pflash', 'virtio', 'none'];
const leastMemoryMb = 128;
const mostMemoryMb = 4_000_000;

/** The disk of a guest, and how it may be used. */
export interface Disk {
  /** As the emulator sees it. */
  readonly path: string;
  /** On the host, links followed. */
  readonly hostPath: string;
  /** Of the task itself: the guest writes into it. An image of the operator's is never written. */
  readonly own: boolean;
}

export function checkOptions(plugin: PluginOptions, options: TaskOptions, memoryMb: number, user: string): void {
  if (!interfaces.includes(options.drive_interface))
    throw new Fault(
      'invalid',
      `drive_interface is one of ${interfaces.join(', ')}, not ${JSON.stringify(options.drive_interface)}`,
    );
  if (!/^[a-z0-9_]+$/.test(options.emulator))
    throw new Fault('invalid', `emulator ${JSON.stringify(options.emulator)} is no name`);
  if (plugin.emulators_allowlist.length > 0 && !plugin.emulators_allowlist.includes(options.emulator))
    throw new Fault(
      'denied',
      `emulator ${JSON.stringify(options.emulator)} is not in the operator's emulators_allowlist`,
    );
  for (const name of ['machine_type', 'accelerator'] as const)
    if (!/^[A-Za-z0-9._-]+$/.test(options[name]))
      throw new Fault('invalid', `${name}: ${JSON.stringify(options[name])} is no name`);
  if (memoryMb < leastMemoryMb || memoryMb > mostMemoryMb)
    throw new Fault(
      'invalid',
      `qemu memory assignment out of bounds: ${memoryMb} MB is not ${leastMemoryMb} to ${mostMemoryMb}`,
    );
  if (user === 'root') throw new Fault('denied', 'an emulator does not run as root');
  const flags = options.args.filter((each) => each.startsWith('-'));
  const refused =
    plugin.args_allowlist.length === 0 ? [] : flags.filter((each) => !allows(plugin.args_allowlist, each));
  if (refused.length > 0)
    throw new Fault('denied', `args: ${refused.join(', ')} are not in the operator's args_allowlist`);
}

/** `-flag`, `--flag` and `-flag=value` are the same flag. */
function allows(list: readonly string[], flag: string): boolean {
  const bare = (text: string): string => text.replace(/^-+/, '').replace(/=.*$/, '');
  return list.some((each) => bare(each) === bare(flag));
}

/** `sandboxed`: the task sees its own directory as the root. A path that leads elsewhere, by link or by name, is refused. */
export async function diskOf(
  task: TaskConfig,
  plugin: Pick<PluginOptions, 'image_paths'>,
  path: string,
  sandboxed: boolean,
): Promise<Disk> {
  const { directories } = task;
  const inside = isAbsolute(path) ? path : join('/', path);
  const places = [
    [join(directories.task, inside), directories.task, '/'],
    [join(directories.allocation, inside), directories.allocation, '/'],
    [path, directories.allocation, '/'],
  ] as const;
  for (const [candidate, root] of places) {
    const real = await realpath(candidate).catch(() => null);
    // at a rehearsal the allocation is not there, and so is nothing in it
    const place = real === null ? null : await realpath(root).catch(() => null);
    if (real === null || place === null || !below(place, real)) continue;
    return {
      path: sandboxed ? seen(task, real, await realpath(directories.task), await realpath(directories.shared)) : real,
      hostPath: real,
      own: true,
    };
  }
  const real = await realpath(path).catch(() => null);
  const { image_paths: allowedPaths } = plugin;
  if (real === null && mayCome(task, path)) return { path, hostPath: path, own: true };
  // whether a file of the host is there is told of nothing but what the operator lists
  if (real === null && (!isAbsolute(path) || allowedPaths.some((each) => below(each, path))))
    throw new Fault('invalid', `image_path ${JSON.stringify(path)} is not there`);
  for (const allowed of allowedPaths) {
    const root = await realpath(allowed).catch(() => null);
    if (root === null || real === null || !below(root, real)) continue;
    return { path: sandboxed ? '/image' : real, hostPath: real, own: false };
  }
  const listed = allowedPaths.length === 0 ? 'none is set' : allowedPaths.join(', ');
  throw new Fault(
    'denied',
    `image_path ${JSON.stringify(path)} is neither in the allocation nor below one of the operator's image_paths (${listed}): fetch it with an artifact block, or have its directory listed in plugin "qemu" { config { image_paths = […] } }`,
  );
}

function seen(task: TaskConfig, real: string, taskRoot: string, sharedRoot: string): string {
  if (below(taskRoot, real)) return join('/', relative(taskRoot, real));
  if (below(sharedRoot, real)) return join('/alloc', relative(sharedRoot, real));
  throw new Fault('denied', `image_path is in another task's directory, which ${task.name} does not see`);
}

/**
 * An image that came as an artifact is the task's: its emulator has a uid of its own and must be able to write it. Its path is below
 * `allocation`, links followed; a link that another task swapped into it since is not followed, and faults.
 */
export async function makeWritable(allocation: string, path: string): Promise<void> {
  const root = await realpath(allocation);
  const file = await openBeneath(root, relative(root, path));
  try {
    const { mode } = await file.stat();
    if ((mode & 0o666) !== 0o666) await file.chmod((mode & 0o7777) | 0o666).catch(() => {});
  } finally {
    await file.close();
  }
}

function below(root: string, path: string): boolean {
  const from = relative(resolve(root), path);
  return from === '' || (!from.startsWith('..') && !isAbsolute(from));
}

export interface MachineParts {
  readonly task: TaskConfig;
  readonly options: TaskOptions;
  readonly disk: Disk;
  /** Sockets of monitor and agent, as the emulator sees them. */
  readonly monitor: string;
  readonly agent: string;
  /** The processor that KVM was proved with; null: the machine is emulated. */
  readonly kvmCpu: string | null;
}

export function machineArguments({ task, options, disk, monitor, agent, kvmCpu }: MachineParts): readonly string[] {
  const { accelerator } = options;
  const cores = coresIn(task.resources.cpusetCpus);
  const drive = [
    `file=${disk.path.replaceAll(',', ',,')}`,
    `if=${options.drive_interface}`,
    'id=image0',
    ...(disk.own ? [] : ['snapshot=on']),
  ];
  return [
    ...['-machine', `type=${options.machine_type},accel=${accelerator}`],
    ...['-name', basename(disk.hostPath).replaceAll(',', ',,')],
    ...['-m', `${task.resources.memoryMb}M`],
    ...['-drive', drive.join(',')],
    '-nographic',
    // what is emulated is what can be attacked: nothing that was not asked for, and no way out but the sandbox's
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-monitor', `unix:${monitor},server,nowait`],
    ...(options.guest_agent
      ? [
          ...['-chardev', `socket,path=${agent},server=on,wait=off,id=qga0`],
          ...['-device', 'virtio-serial', '-device', 'virtserialport,chardev=qga0,name=org.qemu.guest_agent.0'],
        ]
      : []),
    ...networkArguments(task, options),
    ...(kvmCpu !== null ? ['-cpu', kvmCpu, ...(cores > 0 ? ['-smp', String(cores)] : [])] : []),
    ...options.args,
  ];
}

function networkArguments(task: TaskConfig, options: TaskOptions): readonly string[] {
  const entries = Object.entries(options.port_map);
  if (entries.length === 0) return ['-nic', 'none'];
  const forwarded = entries.flatMap(([label, guest]) => {
    const port = task.resources.ports.find((each) => each.label === label);
    if (port === undefined)
      throw new Fault('invalid', `port_map: port ${JSON.stringify(label)} is not among the task's networks`);
    return forwards(task, port, guest);
  });
  const { dns } = task;
  const names = [
    ...(dns?.servers.slice(0, 1) ?? []).map((each) => `dns=${each}`),
    ...(dns?.searches ?? []).map((each) => `dnssearch=${each}`),
  ];
  return userNetwork([...names, ...forwarded], 'virtio-net');
}

/** `"0-2,5"` → 4 */
export function coresIn(text: string): number {
  return text
    .split(',')
    .filter((each) => each !== '')
    .reduce((sum, part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return sum + to - from + 1;
    }, 0);
}
