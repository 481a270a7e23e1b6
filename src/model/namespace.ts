import { NamespaceIsolation } from './isolation.ts';
import { bytes, type Infer, int, list, map, noun, nullable, object, omitted, string } from './schema.ts';

export const NamespaceCapabilities = noun('NamespaceCapabilities', {
  EnabledTaskDrivers: nullable(list(string())),
  DisabledTaskDrivers: nullable(list(string())),
  EnabledNetworkModes: nullable(list(string())),
  DisabledNetworkModes: nullable(list(string())),
});
export type NamespaceCapabilities = Infer<typeof NamespaceCapabilities>;

export const NamespaceNodePoolConfiguration = noun('NamespaceNodePoolConfiguration', {
  Default: string(),
  Allowed: nullable(list(string())),
  Denied: nullable(list(string())),
});
export type NamespaceNodePoolConfiguration = Infer<typeof NamespaceNodePoolConfiguration>;

export const NamespaceVaultConfiguration = noun('NamespaceVaultConfiguration', {
  Default: string(),
  Allowed: nullable(list(string())),
  Denied: nullable(list(string())),
});
export type NamespaceVaultConfiguration = Infer<typeof NamespaceVaultConfiguration>;

export const NamespaceConsulConfiguration = noun('NamespaceConsulConfiguration', {
  Default: string(),
  Allowed: nullable(list(string())),
  Denied: nullable(list(string())),
});
export type NamespaceConsulConfiguration = Infer<typeof NamespaceConsulConfiguration>;

export const Namespace = noun('Namespace', {
  Name: string(),
  Description: string(),
  Quota: string(),
  Capabilities: nullable(object(NamespaceCapabilities)),
  NodePoolConfiguration: nullable(object(NamespaceNodePoolConfiguration)),
  VaultConfiguration: nullable(object(NamespaceVaultConfiguration)),
  ConsulConfiguration: nullable(object(NamespaceConsulConfiguration)),
  Meta: nullable(map(string())),
  CreateIndex: int(),
  ModifyIndex: int(),
  RequiredExtraClaims: nullable(map(string())),
  OptionalExtraClaims: nullable(map(string())),
  Hash: bytes(),
  /** Unlike Nomad: what tasks of its jobs may not fall below. */
  Isolation: omitted(nullable(object(NamespaceIsolation))),
});
export type Namespace = Infer<typeof Namespace>;
