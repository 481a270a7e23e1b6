import { Affinity, Constraint } from './constraint.ts';
import { NetworkResource } from './network.ts';
import { type Infer, int, list, noun, nullable, object, string } from './schema.ts';

export const RequestedDevice = noun('RequestedDevice', {
  Name: string(),
  Count: int(),
  Constraints: nullable(list(object(Constraint))),
  Affinities: nullable(list(object(Affinity))),
});
export type RequestedDevice = Infer<typeof RequestedDevice>;

export const NUMAResource = noun('NUMAResource', {
  Affinity: string(),
  Devices: nullable(list(string())),
});
export type NUMAResource = Infer<typeof NUMAResource>;

export const Resources = noun('Resources', {
  CPU: int(),
  Cores: int(),
  MemoryMB: int(),
  MemoryMaxMB: int(),
  DiskMB: int(),
  Networks: nullable(list(object(NetworkResource))),
  Devices: nullable(list(object(RequestedDevice))),
  NUMA: nullable(object(NUMAResource)),
  SecretsMB: int(),
  IOPS: int(),
});
export type Resources = Infer<typeof Resources>;
