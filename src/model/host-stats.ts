import { DeviceGroupStats } from './resource-usage.ts';
import { float, type Infer, int, list, noun, nullable, object, string } from './schema.ts';

export const HostMemoryStats = noun('HostMemoryStats', {
  Total: int(),
  Available: int(),
  Used: int(),
  Free: int(),
});
export type HostMemoryStats = Infer<typeof HostMemoryStats>;

export const HostCPUStats = noun('HostCPUStats', {
  CPU: string(),
  User: float(),
  System: float(),
  Idle: float(),
  TotalPercent: float(),
  TotalTicks: float(),
});
export type HostCPUStats = Infer<typeof HostCPUStats>;

export const HostDiskStats = noun('HostDiskStats', {
  Device: string(),
  Mountpoint: string(),
  Size: int(),
  Used: int(),
  Available: int(),
  UsedPercent: float(),
  InodesUsedPercent: float(),
});
export type HostDiskStats = Infer<typeof HostDiskStats>;

export const HostStats = noun('HostStats', {
  Memory: nullable(object(HostMemoryStats)),
  CPU: nullable(list(object(HostCPUStats))),
  DiskStats: nullable(list(object(HostDiskStats))),
  AllocDirStats: nullable(object(HostDiskStats)),
  DeviceStats: nullable(list(object(DeviceGroupStats))),
  Uptime: int(),
  CPUTicksConsumed: float(),
  /** Unix nanoseconds. */
  Timestamp: int(),
});
export type HostStats = Infer<typeof HostStats>;
