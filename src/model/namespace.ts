import { NamespaceIsolation } from './isolation.ts';
import {
  attr,
  block,
  bytes,
  type Infer,
  int,
  list,
  map,
  mapping,
  noun,
  nullable,
  object,
  omitted,
  string,
} from './schema.ts';

export const NamespaceCapabilities = noun('NamespaceCapabilities', {
  EnabledTaskDrivers: nullable(list(string(), { hcl: attr('enabled_task_drivers') })),
  DisabledTaskDrivers: nullable(list(string(), { hcl: attr('disabled_task_drivers') })),
  EnabledNetworkModes: nullable(list(string(), { hcl: attr('enabled_network_modes') })),
  DisabledNetworkModes: nullable(list(string(), { hcl: attr('disabled_network_modes') })),
});
export type NamespaceCapabilities = Infer<typeof NamespaceCapabilities>;

export const NamespaceNodePoolConfiguration = noun('NamespaceNodePoolConfiguration', {
  Default: string({ hcl: attr('default') }),
  Allowed: nullable(list(string(), { hcl: attr('allowed') })),
  Denied: nullable(list(string(), { hcl: attr('denied') })),
});
export type NamespaceNodePoolConfiguration = Infer<typeof NamespaceNodePoolConfiguration>;

export const NamespaceVaultConfiguration = noun('NamespaceVaultConfiguration', {
  Default: string({ hcl: attr('default') }),
  Allowed: nullable(list(string(), { hcl: attr('allowed') })),
  Denied: nullable(list(string(), { hcl: attr('denied') })),
});
export type NamespaceVaultConfiguration = Infer<typeof NamespaceVaultConfiguration>;

export const NamespaceConsulConfiguration = noun('NamespaceConsulConfiguration', {
  Default: string({ hcl: attr('default') }),
  Allowed: nullable(list(string(), { hcl: attr('allowed') })),
  Denied: nullable(list(string(), { hcl: attr('denied') })),
});
export type NamespaceConsulConfiguration = Infer<typeof NamespaceConsulConfiguration>;

/** What a team's jobs share: names, demands, and what they may use. Written as a file of its own: `drover namespace apply FILE`. */
export const Namespace = noun('Namespace', {
  Name: string({ hcl: attr('name') }),
  Description: string({ hcl: attr('description') }),
  Quota: string({ hcl: attr('quota') }),
  Capabilities: nullable(object(NamespaceCapabilities, { hcl: block('capabilities') })),
  NodePoolConfiguration: nullable(object(NamespaceNodePoolConfiguration, { hcl: block('node_pool_config') })),
  VaultConfiguration: nullable(object(NamespaceVaultConfiguration, { hcl: block('vault') })),
  ConsulConfiguration: nullable(object(NamespaceConsulConfiguration, { hcl: block('consul') })),
  Meta: nullable(map(string(), { hcl: mapping('meta') })),
  CreateIndex: int(),
  ModifyIndex: int(),
  RequiredExtraClaims: nullable(map(string())),
  OptionalExtraClaims: nullable(map(string())),
  Hash: bytes(),
  /** Unlike Nomad: what tasks of its jobs may not fall below. */
  Isolation: omitted(nullable(object(NamespaceIsolation, { hcl: block('isolation') }))),
});
export type Namespace = Infer<typeof Namespace>;
