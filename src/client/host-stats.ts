/** How busy the host is: processors since the last look, memory, disks. */
import { readFile } from 'node:fs/promises';
import { cpus, freemem, totalmem, uptime } from 'node:os';
import type { HostCPUStats, HostDiskStats, HostMemoryStats, HostStats } from '../model/host-stats.ts';
import { mountedDevices, storageFacts } from './fingerprint/storage.ts';

type Times = ReturnType<typeof cpus>[number]['times'];

export class HostStatsSampler {
  readonly #allocDir: string;
  readonly #totalCompute: number;
  readonly #now: () => number;
  #last: readonly Times[] = cpus().map((cpu) => cpu.times);

  constructor(allocDir: string, totalCompute: number, now: () => number) {
    this.#allocDir = allocDir;
    this.#totalCompute = totalCompute;
    this.#now = now;
  }

  async sample(): Promise<HostStats> {
    const cpu = this.#processors();
    return {
      Memory: await memoryStats(),
      CPU: cpu,
      DiskStats: await Promise.all(
        (await mountedDevices()).map(({ device, mountpoint }) => diskStats(mountpoint, device)),
      ),
      AllocDirStats: { ...(await diskStats(this.#allocDir, '')), Mountpoint: '' },
      DeviceStats: null,
      Uptime: Math.floor(uptime()),
      CPUTicksConsumed: cpu.reduce((sum, core) => sum + core.TotalTicks, 0),
      Timestamp: Math.round(this.#now() * 1e6),
    };
  }

  #processors(): readonly HostCPUStats[] {
    const now = cpus().map((cpu) => cpu.times);
    const before = this.#last;
    this.#last = now;
    const mhz = this.#totalCompute / Math.max(1, now.length);
    return now.map((times, core) => coreStats(`cpu${core}`, times, before[core] ?? times, mhz));
  }
}

function coreStats(name: string, now: Times, before: Times, mhz: number): HostCPUStats {
  const since = (key: keyof Times): number => Math.max(0, now[key] - before[key]);
  const idle = since('idle');
  const total = idle + since('user') + since('nice') + since('sys') + since('irq');
  const percent = (part: number): number => (total === 0 ? 0 : (part / total) * 100);
  const busy = percent(total - idle);
  return {
    CPU: name,
    User: percent(since('user') + since('nice')),
    System: percent(since('sys') + since('irq')),
    Idle: total === 0 ? 100 : percent(idle),
    TotalPercent: busy,
    TotalTicks: (busy / 100) * mhz,
  };
}

async function memoryStats(): Promise<HostMemoryStats> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const field = (name: string, otherwise: number): number => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    return kilobytes === undefined ? otherwise : Number(kilobytes) * 1024;
  };
  const total = field('MemTotal', totalmem());
  const free = field('MemFree', freemem());
  const available = field('MemAvailable', free);
  const used = total - free - field('Buffers', 0) - field('Cached', 0);
  return { Total: total, Available: available, Used: Math.max(0, used), Free: free };
}

async function diskStats(path: string, device: string): Promise<HostDiskStats> {
  const facts = await storageFacts(path);
  const used = facts.bytesTotal - facts.bytesFree;
  return {
    Device: device,
    Mountpoint: path,
    Size: facts.bytesTotal,
    Used: used,
    Available: facts.bytesFree,
    UsedPercent: facts.bytesTotal === 0 ? 0 : (used / facts.bytesTotal) * 100,
    InodesUsedPercent: facts.inodesUsedPercent,
  };
}
