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

export const MemoryStats = noun('MemoryStats', {
  RSS: int(),
  Cache: int(),
  MappedFile: int(),
  Swap: int(),
  Usage: int(),
  MaxUsage: int(),
  KernelUsage: int(),
  KernelMaxUsage: int(),
  Measured: nullable(list(string())),
});
export type MemoryStats = Infer<typeof MemoryStats>;

export const CpuStats = noun('CpuStats', {
  SystemMode: float(),
  UserMode: float(),
  TotalTicks: float(),
  ThrottledPeriods: int(),
  ThrottledTime: int(),
  Percent: float(),
  Measured: nullable(list(string())),
});
export type CpuStats = Infer<typeof CpuStats>;

export const StatValue = noun('StatValue', {
  FloatNumeratorVal: omitted(nullable(float())),
  FloatDenominatorVal: omitted(nullable(float())),
  IntNumeratorVal: omitted(nullable(int())),
  IntDenominatorVal: omitted(nullable(int())),
  StringVal: omitted(nullable(string())),
  BoolVal: omitted(nullable(bool())),
  Unit: omitted(nullable(string())),
  Desc: omitted(nullable(string())),
});
export type StatValue = Infer<typeof StatValue>;

export const DeviceStats = noun('DeviceStats', {
  Summary: nullable(object(StatValue)),
  Stats: nullable(any()),
  Timestamp: time(),
});
export type DeviceStats = Infer<typeof DeviceStats>;

export const DeviceGroupStats = noun('DeviceGroupStats', {
  Vendor: string(),
  Type: string(),
  Name: string(),
  InstanceStats: nullable(map(object(DeviceStats))),
});
export type DeviceGroupStats = Infer<typeof DeviceGroupStats>;

export const ResourceUsage = noun('ResourceUsage', {
  MemoryStats: nullable(object(MemoryStats)),
  CpuStats: nullable(object(CpuStats)),
  DeviceStats: nullable(list(object(DeviceGroupStats))),
});
export type ResourceUsage = Infer<typeof ResourceUsage>;

export const TaskResourceUsage = noun('TaskResourceUsage', {
  ResourceUsage: nullable(object(ResourceUsage)),
  Timestamp: int(),
  Pids: nullable(map(object(ResourceUsage))),
});
export type TaskResourceUsage = Infer<typeof TaskResourceUsage>;

export const AllocResourceUsage = noun('AllocResourceUsage', {
  ResourceUsage: nullable(object(ResourceUsage)),
  Tasks: nullable(map(object(TaskResourceUsage))),
  Timestamp: int(),
});
export type AllocResourceUsage = Infer<typeof AllocResourceUsage>;
