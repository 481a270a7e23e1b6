import { DrainMetadata, DrainStrategy } from './drain.ts';
import { DriverInfo } from './driver-info.ts';
import { NetworkResource } from './network.ts';
import { Resources } from './resources.ts';
import {
  any,
  bool,
  float,
  type Infer,
  int,
  list,
  map,
  noun,
  nullable,
  object,
  omitted,
  string,
  time,
} from './schema.ts';

export const NodeCpuResources = noun('NodeCpuResources', {
  CpuShares: int(),
  TotalCpuCores: int(),
  ReservableCpuCores: nullable(list(int())),
});
export type NodeCpuResources = Infer<typeof NodeCpuResources>;

export const NodeMemoryResources = noun('NodeMemoryResources', {
  MemoryMB: int(),
});
export type NodeMemoryResources = Infer<typeof NodeMemoryResources>;

export const NodeDiskResources = noun('NodeDiskResources', {
  DiskMB: int(),
});
export type NodeDiskResources = Infer<typeof NodeDiskResources>;

export const Attribute = noun('Attribute', {
  Float: omitted(nullable(float())),
  Int: omitted(nullable(int())),
  String: omitted(nullable(string())),
  Bool: omitted(nullable(bool())),
  Unit: nullable(string()),
});
export type Attribute = Infer<typeof Attribute>;

export const NodeDevice = noun('NodeDevice', {
  ID: string(),
  Healthy: bool(),
  HealthDescription: string(),
  Locality: nullable(any()),
});
export type NodeDevice = Infer<typeof NodeDevice>;

export const NodeDeviceResource = noun('NodeDeviceResource', {
  Vendor: string(),
  Type: string(),
  Name: string(),
  Instances: nullable(list(object(NodeDevice))),
  Attributes: nullable(map(object(Attribute))),
});
export type NodeDeviceResource = Infer<typeof NodeDeviceResource>;

export const NodeResources = noun('NodeResources', {
  Cpu: object(NodeCpuResources),
  Memory: object(NodeMemoryResources),
  Disk: object(NodeDiskResources),
  Networks: nullable(list(object(NetworkResource))),
  Devices: nullable(list(object(NodeDeviceResource))),
  MinDynamicPort: int(),
  MaxDynamicPort: int(),
  /** Addresses by interface, with the aliases of host networks. */
  NodeNetworks: omitted(nullable(list(any()))),
  /** The topology of the processors. */
  Processors: omitted(nullable(any())),
});
export type NodeResources = Infer<typeof NodeResources>;

export const NodeReservedCpuResources = noun('NodeReservedCpuResources', {
  CpuShares: int(),
  ReservedCpuCores: omitted(nullable(list(int()))),
});
export type NodeReservedCpuResources = Infer<typeof NodeReservedCpuResources>;

export const NodeReservedMemoryResources = noun('NodeReservedMemoryResources', {
  MemoryMB: int(),
});
export type NodeReservedMemoryResources = Infer<typeof NodeReservedMemoryResources>;

export const NodeReservedDiskResources = noun('NodeReservedDiskResources', {
  DiskMB: int(),
});
export type NodeReservedDiskResources = Infer<typeof NodeReservedDiskResources>;

export const NodeReservedNetworkResources = noun('NodeReservedNetworkResources', {
  ReservedHostPorts: string(),
});
export type NodeReservedNetworkResources = Infer<typeof NodeReservedNetworkResources>;

export const NodeReservedResources = noun('NodeReservedResources', {
  Cpu: object(NodeReservedCpuResources),
  Memory: object(NodeReservedMemoryResources),
  Disk: object(NodeReservedDiskResources),
  Networks: object(NodeReservedNetworkResources),
});
export type NodeReservedResources = Infer<typeof NodeReservedResources>;

export const HostVolumeInfo = noun('HostVolumeInfo', {
  Path: string(),
  ReadOnly: bool(),
  ID: string(),
});
export type HostVolumeInfo = Infer<typeof HostVolumeInfo>;

export const HostNetworkInfo = noun('HostNetworkInfo', {
  Name: string(),
  CIDR: string(),
  Interface: string(),
  ReservedPorts: string(),
});
export type HostNetworkInfo = Infer<typeof HostNetworkInfo>;

export const NodeEvent = noun('NodeEvent', {
  Message: string(),
  Subsystem: string(),
  Details: nullable(map(string())),
  Timestamp: time(),
  CreateIndex: int(),
});
export type NodeEvent = Infer<typeof NodeEvent>;

export const Node = noun('Node', {
  ID: string(),
  Datacenter: string(),
  Name: string(),
  HTTPAddr: string(),
  TLSEnabled: bool(),
  Attributes: nullable(map(string())),
  Resources: nullable(object(Resources)),
  Reserved: nullable(object(Resources)),
  NodeResources: nullable(object(NodeResources)),
  ReservedResources: nullable(object(NodeReservedResources)),
  Links: nullable(map(string())),
  Meta: nullable(map(string())),
  NodeClass: string(),
  NodePool: string(),
  CgroupParent: string(),
  Drain: bool(),
  DrainStrategy: nullable(object(DrainStrategy)),
  SchedulingEligibility: string(),
  Status: string(),
  StatusDescription: string(),
  StatusUpdatedAt: int(),
  Events: nullable(list(object(NodeEvent))),
  Drivers: nullable(map(object(DriverInfo))),
  HostVolumes: nullable(map(object(HostVolumeInfo))),
  GCVolumesOnNodeGC: bool(),
  HostNetworks: nullable(map(object(HostNetworkInfo))),
  CSIControllerPlugins: nullable(map(nullable(any()))),
  CSINodePlugins: nullable(map(nullable(any()))),
  LastDrain: nullable(object(DrainMetadata)),
  CreateIndex: int(),
  ModifyIndex: int(),
  NodeMaxAllocs: int(),
  ComputedClass: string(),
  SecretID: string({ visibility: 'secret' }),
  LastAllocUpdateIndex: int(),
  LastMissedHeartbeatIndex: int(),
  IdentitySigningKeyID: string(),
  /** Driver → what its tasks' options are checked by: base64 of the plugin protocol's specification. */
  DriverSchemas: omitted(map(string(), { visibility: 'stored' })),
});
export type Node = Infer<typeof Node>;
