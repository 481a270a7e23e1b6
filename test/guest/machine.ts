/**
 * A virtual machine with Debian's kernel and cgroup v2 alone, that runs a shell script as root on this machine's files: read-only, with a layer
 * of memory above. Emulated: it also runs where no hardware virtualisation is. It has no network.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type ArchiveFile, cpioArchive } from '../../src/drivers/microvm/archive.ts';
import { findKernel } from '../../src/drivers/microvm/kernels.ts';

const programs = { qemu: '/usr/bin/qemu-system-x86_64', files: '/usr/lib/qemu/virtiofsd', busybox: '/bin/busybox' };

/** In the order in which they need each other; what a kernel has built in has no file. */
const modules = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'].map(
    (name) => `drivers/virtio/${name}`,
  ),
  ...['fuse/fuse', 'fuse/virtiofs', 'overlayfs/overlay'].map((name) => `fs/${name}`),
];

/** What a guest lacks here; empty: it can be had. */
export async function lackingForGuest(): Promise<readonly string[]> {
  if (process.getuid?.() !== 0) return ['root'];
  if (process.arch !== 'x64') return ['an x86-64 processor'];
  const missing = Object.values(programs).filter((path) => !existsSync(path));
  return [...missing, ...((await findKernel('')) === null ? ['a kernel in /boot'] : [])];
}

export interface GuestOptions {
  /** A file that is the guest's /dev/vda, and outlives it. */
  readonly disk?: string;
  /** Once the report has this line, the machine's power is cut. */
  readonly cutAt?: string;
  /** Added to the kernel's command line. */
  readonly kernelOptions?: string;
}

export interface GuestRun {
  readonly console: string;
  /** What the command wrote to /dev/ttyS1. */
  readonly report: string;
}

/**
 * Runs `command`, a line of shell, and switches the machine off; what it wrote to its standard output is on the console. Ended hard after
 * `minutes`, which is an error with the last of the console.
 */
export async function runInGuest(command: string, minutes: number, options: GuestOptions = {}): Promise<GuestRun> {
  const scratch = mkdtempSync(join(tmpdir(), 'drover-guest-'));
  const files = serveFiles(scratch);
  try {
    const [initrd, console, report] = ['initrd', 'console', 'report'].map((name) => join(scratch, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(initrd, await firstFiles(command));
    const machine = spawn(programs.qemu, machineArguments(await kernelPath(), scratch, options), {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      machine.kill('SIGKILL');
    }, minutes * 60_000);
    const { cutAt } = options;
    const reached = (): boolean => cutAt !== undefined && readFileSync(report, 'utf8').split('\n').includes(cutAt);
    const watch = setInterval(() => existsSync(report) && reached() && machine.kill('SIGKILL'), 20);
    await ended(machine);
    clearTimeout(timer);
    clearInterval(watch);
    const run = { console: readFileSync(console, 'utf8'), report: readFileSync(report, 'utf8') };
    if (late) throw new Error(`the guest did not end within ${minutes} minutes:\n${lastOf(run)}`);
    return run;
  } finally {
    files.kill('SIGKILL');
    await ended(files);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The first JSON that was reported. @throws with the last of the console where there is none */
export function reported<T>(run: GuestRun): T {
  const line = run.report.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`nothing was reported:\n${lastOf(run)}`);
  return JSON.parse(line) as T;
}

/** As much as a lane says of a failure. */
const lastOf = ({ console }: GuestRun): string => console.trimEnd().split('\n').slice(-10).join('\n');

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

async function kernelPath(): Promise<string> {
  const found = await findKernel('');
  if (found === null) throw new Error('no kernel');
  return found;
}

/** This machine's root as a read-only mount of a namespace of its own, which goes with the server. */
function serveFiles(scratch: string): ChildProcess {
  const root = join(scratch, 'root');
  mkdirSync(root);
  const server = [
    programs.files,
    `--socket-path=${join(scratch, 'files')}`,
    '-o',
    `source=${root}`,
    '-o',
    'cache=always',
    '-o',
    'sandbox=chroot',
    '-o',
    'log_level=err',
    '-f',
  ];
  const script = 'mount --bind / "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, root, ...server], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  execFileSync('sh', [
    '-c',
    'for i in $(seq 300); do [ -S "$0" ] && exit; sleep 0.1; done; exit 1',
    join(scratch, 'files'),
  ]);
  return child;
}

function machineArguments(kernel: string, scratch: string, options: GuestOptions): readonly string[] {
  const { disk, kernelOptions = '' } = options;
  return [
    ...[
      '-machine',
      'q35,memory-backend=memory',
      '-object',
      'memory-backend-memfd,id=memory,size=3G,share=on',
      '-m',
      '3G',
    ],
    ...['-accel', 'tcg,thread=single', '-cpu', 'max', '-smp', '2', '-nodefaults', '-display', 'none', '-no-reboot'],
    ...[
      '-chardev',
      `socket,id=files,path=${join(scratch, 'files')}`,
      '-device',
      'vhost-user-fs-pci,chardev=files,tag=host',
    ],
    // written through, as a disk without a cache of its own
    ...(disk === undefined ? [] : ['-drive', `file=${disk},if=virtio,format=raw,cache=writethrough`]),
    ...['console', 'report'].flatMap((name) => ['-serial', `file:${join(scratch, name)}`]),
    ...[
      '-kernel',
      kernel,
      '-initrd',
      join(scratch, 'initrd'),
      '-append',
      `console=ttyS0 quiet loglevel=3 panic=1 mitigations=off no_timer_check ${kernelOptions}`,
    ],
  ];
}

async function firstFiles(command: string): Promise<Buffer> {
  const release = basename(await kernelPath()).replace(/^vmlinuz-/, '');
  const found = modules.map((name) => `/lib/modules/${release}/kernel/${name}.ko`).filter((path) => existsSync(path));
  const file = (path: string, from: string): ArchiveFile => ({ path, content: readFileSync(from), mode: 0o755 });
  const text = (path: string, content: string): ArchiveFile => ({ path, content: Buffer.from(content), mode: 0o755 });
  return cpioArchive([
    ...['bin', 'dev', 'proc', 'sys', 'modules'].map((path) => ({ path, content: null, mode: 0o755 })),
    file('bin/busybox', programs.busybox),
    file('init', join(import.meta.dirname, 'init.sh')),
    text('command', command),
    text('checkout', join(import.meta.dirname, '../..')),
    text('modules/order', found.map((path) => `/modules/${basename(path)}\n`).join('')),
    ...found.map((path) => file(`modules/${basename(path)}`, path)),
  ]);
}
