import { Affinity, Constraint } from './constraint.ts';
import { NetworkResource } from './network.ts';
import { attr, block, blocks, type Infer, int, label, list, noun, nullable, object, string } from './schema.ts';

export const RequestedDevice = noun('RequestedDevice', {
  Name: string({ hcl: label() }),
  Count: int({ hcl: attr('count'), optional: true, bits: 'uint64', fallback: 1 }),
  Constraints: nullable(list(object(Constraint), { hcl: blocks('constraint') })),
  Affinities: nullable(list(object(Affinity), { hcl: blocks('affinity') })),
});
export type RequestedDevice = Infer<typeof RequestedDevice>;

export const NUMAResource = noun('NUMAResource', {
  Affinity: string({ hcl: attr('affinity') }),
  Devices: nullable(list(string(), { hcl: attr('devices') })),
});
export type NUMAResource = Infer<typeof NUMAResource>;

export const Resources = noun('Resources', {
  CPU: int({ hcl: attr('cpu'), optional: true }),
  Cores: int({ hcl: attr('cores'), optional: true }),
  MemoryMB: int({ hcl: attr('memory'), optional: true, fallback: 300 }),
  MemoryMaxMB: int({ hcl: attr('memory_max'), optional: true }),
  DiskMB: int({ hcl: attr('disk'), optional: true }),
  Networks: nullable(list(object(NetworkResource), { hcl: blocks('network') })),
  Devices: nullable(list(object(RequestedDevice), { hcl: blocks('device') })),
  NUMA: nullable(object(NUMAResource, { hcl: block('numa') })),
  SecretsMB: int({ hcl: attr('secrets'), optional: true }),
  IOPS: int({ hcl: attr('iops'), optional: true }),
});
export type Resources = Infer<typeof Resources>;
