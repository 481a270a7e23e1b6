// A guest that is an ordinary system: Debian's kernel, which heeds its power button, and QEMU's own agent in it.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TaskConfig } from '../../driver/contract.ts';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { type ArchiveFile, cpioArchive } from '../microvm/archive.ts';
import { findKernel } from '../microvm/kernels.ts';
import { qemu } from './index.ts';

const never = new AbortController().signal;
const agentProgram = '/usr/sbin/qemu-ga';
const lacking = ['/usr/bin/qemu-system-x86_64', '/bin/busybox', agentProgram, '/vmlinuz'].filter(
  (path) => !existsSync(path),
);
let host: ScratchHost;
let driver: OpenDriver;

beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
  driver = openDriver(qemu, {}, host.deps);
});
afterAll(async () => {
  await driver.engine.close();
  await host.close();
});

const modules = [
  ...['drivers/virtio/virtio', 'drivers/virtio/virtio_ring', 'drivers/virtio/virtio_pci_legacy_dev'],
  ...['drivers/virtio/virtio_pci_modern_dev', 'drivers/virtio/virtio_pci', 'drivers/char/virtio_console'],
  ...['drivers/input/evdev', 'drivers/acpi/button'],
];
/** What a distribution's acpid does, and the service of its agent. */
const init = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for round in 1 2; do for each in /modules/*; do $b insmod $each 2>/dev/null; done; done
for each in /sys/class/virtio-ports/*; do
  [ "$($b cat $each/name)" = org.qemu.guest_agent.0 ] && port=/dev/\${each##*/}
done
[ -z "$port" ] || ${agentProgram} -m virtio-serial -p $port -t /tmp &
for each in /dev/input/event*; do
  ($b dd if=$each of=/dev/null bs=24 count=1 2>/dev/null; echo "the button was pressed"; $b poweroff -f) &
done
echo "the guest is up"
wait
`;

function files(kernel: string): readonly ArchiveFile[] {
  const release = basename(kernel).replace('vmlinuz-', '');
  const folder = join('/lib/modules', release, 'kernel');
  const libraries = [...execFileSync('ldd', [agentProgram], { encoding: 'utf8' }).matchAll(/(\/lib\S*\/\S+) \(/g)].map(
    ([, path]) => path!,
  );
  const programs = ['/bin/busybox', agentProgram, ...libraries].map((path) => ({
    path: path.slice(1),
    content: readFileSync(path),
    mode: 0o755,
  }));
  const folders = new Set(['proc', 'sys', 'dev', 'tmp', 'var', 'var/run', 'modules']);
  for (const { path } of programs)
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at));
  return [
    ...[...folders].sort().map((path) => ({ path, content: null, mode: 0o755 })),
    ...programs,
    { path: 'init', content: Buffer.from(init), mode: 0o755 },
    ...modules.flatMap((name) =>
      readdirSync(join(folder, name, '..'))
        .filter((file) => file.startsWith(`${basename(name)}.ko`))
        .map((file) => ({
          path: `modules/${file}`,
          content: readFileSync(join(folder, name, '..', file)),
          mode: 0o644,
        })),
    ),
  ];
}

async function guest(more: Record<string, unknown>): Promise<TaskConfig> {
  const kernel = (await findKernel(''))!;
  const append = 'console=ttyS0 quiet panic=-1 random.trust_cpu=on';
  const of = await host.task(
    driver,
    {
      image_path: 'local/empty.img',
      args: ['-kernel', '/local/vmlinuz', '-initrd', '/local/initrd', '-append', append, '-cpu', 'max'],
      ...more,
    },
    { resources: { cpuShares: 500, cpusetCpus: '', memoryMb: 256, memoryMaxMb: 0, percentTicks: 0.1, ports: [] } },
  );
  const put = (name: string, content: Uint8Array): void =>
    writeFileSync(join(of.directories.local, name), content, { mode: 0o644 });
  put('empty.img', Buffer.alloc(1 << 20));
  put('vmlinuz', readFileSync(kernel));
  put('initrd', cpioArchive(files(kernel)));
  return of;
}

const output = (of: TaskConfig): string => readFileSync(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8');

/** What the agent in the guest answers, over the channel of the host. */
function ask(path: string, command: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let said = '';
    socket.on('connect', () => socket.write(`${JSON.stringify({ execute: command })}\n`));
    socket.on('data', (part) => {
      said += part.toString();
      if (!said.includes('\n')) return;
      socket.destroy();
      resolve(JSON.parse(said));
    });
    socket.on('error', reject);
    setTimeout(() => reject(new Error(`no answer: ${said}`)), 30_000).unref();
  });
}

describe.skipIf(lacking.length > 0)('qemu with an ordinary system in it', { timeout: 180_000 }, () => {
  test('the agent in the guest answers; a stop presses the power button, and the guest ends by itself', async () => {
    const { engine } = driver;
    const of = await guest({ graceful_shutdown: true, guest_agent: true });
    await engine.start(of, never);
    await expect.poll(() => output(of), { timeout: 120_000 }).toContain('the guest is up');
    const channel = join(of.directories.task, 'qa.sock');
    expect(await ask(channel, 'guest-ping')).toEqual({ return: {} });
    expect(await ask(channel, 'guest-info')).toMatchObject({ return: { version: expect.stringMatching(/^\d/) } });
    const from = Date.now();
    await engine.stop(of.id, { timeoutMs: 90_000, killSignal: '' }, never);
    expect(Date.now() - from).toBeLessThan(80_000);
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 0, signal: 0 });
    expect(output(of)).toContain('the button was pressed');
    await engine.destroy(of.id, { force: false }, never);
  });
});
