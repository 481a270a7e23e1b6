/** The file system that holds the allocations. */
import { readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unescaped } from '../../lib/node/mount-table.ts';

export interface StorageFacts {
  /** The device: `"/dev/vda"`; the path itself where it is not known. */
  readonly volume: string;
  readonly bytesTotal: number;
  readonly bytesFree: number;
  readonly inodesUsedPercent: number;
}

export async function storageFacts(path: string): Promise<StorageFacts> {
  const facts = await statfs(path).catch(() => null);
  if (facts === null) {
    if (dirname(path) !== path) return storageFacts(dirname(path));
    return { volume: path, bytesTotal: 0, bytesFree: 0, inodesUsedPercent: 0 };
  }
  return {
    volume: await deviceOf(path),
    bytesTotal: facts.blocks * facts.bsize,
    bytesFree: facts.bavail * facts.bsize,
    inodesUsedPercent: facts.files === 0 ? 0 : ((facts.files - facts.ffree) / facts.files) * 100,
  };
}

export interface MountedDevice {
  readonly device: string;
  readonly mountpoint: string;
}

/** Mounted block devices, each once. */
export async function mountedDevices(): Promise<readonly MountedDevice[]> {
  const text = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const seen = new Map<string, MountedDevice>();
  for (const line of text.split('\n')) {
    const [device = '', mountpoint = ''] = line.split(' ').map(unescaped);
    if (device.startsWith('/dev/') && !seen.has(device)) seen.set(device, { device, mountpoint });
  }
  return [...seen.values()];
}

async function deviceOf(path: string): Promise<string> {
  const holds = (await mountedDevices()).filter(
    ({ mountpoint }) => path === mountpoint || path.startsWith(withSlash(mountpoint)),
  );
  return holds.sort((a, b) => b.mountpoint.length - a.mountpoint.length)[0]?.device ?? path;
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}
