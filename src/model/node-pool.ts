import { bool, bytes, duration, type Infer, int, map, noun, nullable, object, string } from './schema.ts';

export const NodePoolSchedulerConfiguration = noun('NodePoolSchedulerConfiguration', {
  SchedulerAlgorithm: string(),
  MemoryOversubscriptionEnabled: nullable(bool()),
});
export type NodePoolSchedulerConfiguration = Infer<typeof NodePoolSchedulerConfiguration>;

export const NodePool = noun('NodePool', {
  Name: string(),
  Description: string(),
  Meta: nullable(map(string())),
  NodeIdentityTTL: duration(),
  SchedulerConfiguration: nullable(object(NodePoolSchedulerConfiguration)),
  CreateIndex: int(),
  ModifyIndex: int(),
  Hash: nullable(bytes()),
});
export type NodePool = Infer<typeof NodePool>;
