import { TaskLifecycle } from './lifecycle.ts';
import { NetworkResource, PortMapping } from './network.ts';
import { type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';

export const AllocatedCpuResources = noun('AllocatedCpuResources', {
  CpuShares: int(),
  ReservedCores: nullable(list(int())),
});
export type AllocatedCpuResources = Infer<typeof AllocatedCpuResources>;

export const AllocatedMemoryResources = noun('AllocatedMemoryResources', {
  MemoryMB: int(),
  MemoryMaxMB: int(),
});
export type AllocatedMemoryResources = Infer<typeof AllocatedMemoryResources>;

export const AllocatedDeviceResource = noun('AllocatedDeviceResource', {
  Vendor: string(),
  Type: string(),
  Name: string(),
  DeviceIDs: nullable(list(string())),
});
export type AllocatedDeviceResource = Infer<typeof AllocatedDeviceResource>;

export const AllocatedTaskResources = noun('AllocatedTaskResources', {
  Cpu: object(AllocatedCpuResources),
  Memory: object(AllocatedMemoryResources),
  Networks: nullable(list(object(NetworkResource))),
  Devices: nullable(list(object(AllocatedDeviceResource))),
});
export type AllocatedTaskResources = Infer<typeof AllocatedTaskResources>;

export const AllocatedSharedResources = noun('AllocatedSharedResources', {
  DiskMB: int(),
  Networks: nullable(list(object(NetworkResource))),
  Ports: nullable(list(object(PortMapping))),
});
export type AllocatedSharedResources = Infer<typeof AllocatedSharedResources>;

export const AllocatedResources = noun('AllocatedResources', {
  Tasks: nullable(map(object(AllocatedTaskResources))),
  Shared: object(AllocatedSharedResources),
  TaskLifecycles: nullable(map(nullable(object(TaskLifecycle)))),
});
export type AllocatedResources = Infer<typeof AllocatedResources>;
