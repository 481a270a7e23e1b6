import { bool, type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';

export const Port = noun('Port', {
  Label: string(),
  Value: int(),
  To: int(),
  HostNetwork: string(),
  IgnoreCollision: bool(),
});
export type Port = Infer<typeof Port>;

export const DNSConfig = noun('DNSConfig', {
  Servers: nullable(list(string())),
  Searches: nullable(list(string())),
  Options: nullable(list(string())),
});
export type DNSConfig = Infer<typeof DNSConfig>;

export const CNIConfig = noun('CNIConfig', {
  Args: nullable(map(string())),
});
export type CNIConfig = Infer<typeof CNIConfig>;

export const NetworkResource = noun('NetworkResource', {
  Mode: string(),
  Device: string(),
  CIDR: string(),
  IP: string(),
  DNS: nullable(object(DNSConfig)),
  ReservedPorts: nullable(list(object(Port))),
  DynamicPorts: nullable(list(object(Port))),
  Hostname: string(),
  MBits: int(),
  CNI: nullable(object(CNIConfig)),
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
