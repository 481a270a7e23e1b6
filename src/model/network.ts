import {
  attr,
  block,
  blocks,
  bool,
  type Infer,
  int,
  label,
  list,
  map,
  noun,
  nullable,
  object,
  omitted,
  string,
} from './schema.ts';

export const Port = noun('Port', {
  Label: string({ hcl: label() }),
  Value: omitted(int({ hcl: attr('static') })),
  /** The port inside the allocation's network; -1: the same as outside. */
  To: omitted(int({ hcl: attr('to') })),
  HostNetwork: omitted(string({ hcl: attr('host_network'), fallback: 'default' })),
  IgnoreCollision: omitted(bool({ hcl: attr('ignore_collision') })),
});
export type Port = Infer<typeof Port>;

export const DNSConfig = noun('DNSConfig', {
  Servers: nullable(list(string(), { hcl: attr('servers') })),
  Searches: nullable(list(string(), { hcl: attr('searches') })),
  Options: nullable(list(string(), { hcl: attr('options') })),
});
export type DNSConfig = Infer<typeof DNSConfig>;

export const CNIConfig = noun('CNIConfig', {
  Args: nullable(map(string(), { hcl: attr('args') })),
});
export type CNIConfig = Infer<typeof CNIConfig>;

export const NetworkResource = noun('NetworkResource', {
  Mode: omitted(string({ hcl: attr('mode') })),
  Device: omitted(string({ hcl: attr('device') })),
  CIDR: omitted(string({ hcl: attr('cidr') })),
  IP: omitted(string({ hcl: attr('ip') })),
  DNS: omitted(nullable(object(DNSConfig, { hcl: block('dns') }))),
  /** Ports with a fixed number. In a job file both kinds are `port` blocks; `static` tells them apart. */
  ReservedPorts: omitted(nullable(list(object(Port), { hcl: blocks('reserved_ports') }))),
  DynamicPorts: omitted(nullable(list(object(Port), { hcl: blocks('port') }))),
  Hostname: omitted(string({ hcl: attr('hostname') })),
  MBits: omitted(int({ hcl: attr('mbits'), optional: true })),
  CNI: omitted(nullable(object(CNIConfig, { hcl: block('cni') }))),
});
export type NetworkResource = Infer<typeof NetworkResource>;

export const PortMapping = noun('PortMapping', {
  Label: string(),
  Value: int(),
  To: int(),
  HostIP: string(),
});
export type PortMapping = Infer<typeof PortMapping>;

export const AllocNetworkStatus = noun('AllocNetworkStatus', {
  InterfaceName: string(),
  Address: string(),
  AddressIPv6: string(),
  DNS: nullable(object(DNSConfig)),
});
export type AllocNetworkStatus = Infer<typeof AllocNetworkStatus>;
