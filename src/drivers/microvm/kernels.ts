/** The kernel that machines boot, and the initrd that goes with it: our init and the modules it loads. */
import { access, readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Fault } from '../../lib/fault.ts';
import { locateNative } from '../../supervise/locate.ts';
import { cpioArchive } from './archive.ts';

/** In the order in which they need each other; a kernel that has one built in has no file of it. */
const modules = [
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci',
  'drivers/block/virtio_blk',
  'drivers/char/virtio_console',
];
const networkModules = ['net/core/failover', 'drivers/net/net_failover', 'drivers/net/virtio_net'];

/** Null: there is none that this process may read. */
export async function findKernel(wanted: string): Promise<string | null> {
  const named = wanted !== '' ? [wanted] : await newest();
  for (const path of named)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return null;
}

async function newest(): Promise<readonly string[]> {
  const names = (await readdir('/boot').catch(() => [])).filter((name) => name.startsWith('vmlinuz-'));
  const order = new Intl.Collator('en', { numeric: true });
  return names.sort((a, b) => order.compare(b, a)).map((name) => join('/boot', name));
}

/**
 * `kernel`: `…/vmlinuz-<release>`; one of another name brings no modules. `card`: the machine has one. `Fault('unavailable')`: our init was
 * not built.
 */
export async function makeInitrd(kernel: string, card = false): Promise<Buffer> {
  const init = locateNative('drover-guest');
  if (init === null)
    throw new Fault(
      'unavailable',
      'the init of machines (drover-guest) was not built: build it where there is a C compiler',
    );
  const release = /^vmlinuz-(.+)$/.exec(basename(kernel))?.[1];
  const names = release === undefined ? [] : [...modules, ...(card ? networkModules : [])];
  const found = await Promise.all(names.map((name) => moduleFile(release!, name)));
  const files = found.filter((each) => each !== null);
  return cpioArchive([
    ...['dev', 'proc', 'sys', 'root', 'modules'].map((path) => ({ path, content: null, mode: 0o755 })),
    { path: 'init', content: await readFile(init), mode: 0o755 },
    { path: 'modules/order', content: Buffer.from(files.map(({ path }) => `/${path}\n`).join('')), mode: 0o644 },
    ...files,
  ]);
}

async function moduleFile(release: string, name: string) {
  for (const ending of ['.ko', '.ko.xz', '.ko.zst']) {
    const content = await readFile(join('/lib/modules', release, 'kernel', name + ending)).catch(() => null);
    if (content !== null) return { path: `modules/${basename(name)}${ending}`, content, mode: 0o644 };
  }
  return null;
}
