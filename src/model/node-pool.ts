import {
  attr,
  block,
  bool,
  bytes,
  duration,
  type Infer,
  int,
  label,
  map,
  mapping,
  noun,
  nullable,
  object,
  string,
} from './schema.ts';

export const NodePoolSchedulerConfiguration = noun('NodePoolSchedulerConfiguration', {
  SchedulerAlgorithm: string({ hcl: attr('scheduler_algorithm') }),
  MemoryOversubscriptionEnabled: nullable(bool({ hcl: attr('memory_oversubscription_enabled'), optional: true })),
});
export type NodePoolSchedulerConfiguration = Infer<typeof NodePoolSchedulerConfiguration>;

export const NodePool = noun('NodePool', {
  Name: string({ hcl: label() }),
  Description: string({ hcl: attr('description') }),
  Meta: nullable(map(string(), { hcl: mapping('meta') })),
  NodeIdentityTTL: duration({ hcl: attr('node_identity_ttl') }),
  SchedulerConfiguration: nullable(object(NodePoolSchedulerConfiguration, { hcl: block('scheduler_config') })),
  CreateIndex: int(),
  ModifyIndex: int(),
  Hash: nullable(bytes()),
});
export type NodePool = Infer<typeof NodePool>;
