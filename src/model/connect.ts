import { WorkloadIdentity } from './identity.ts';
import { LogConfig } from './log-config.ts';
import { Resources } from './resources.ts';
import { any, bool, duration, type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';
import { VolumeMount } from './volume.ts';

export const ConsulMeshGateway = noun('ConsulMeshGateway', {
  Mode: string(),
});
export type ConsulMeshGateway = Infer<typeof ConsulMeshGateway>;

export const ConsulUpstream = noun('ConsulUpstream', {
  DestinationName: string(),
  DestinationNamespace: string(),
  DestinationPeer: string(),
  DestinationPartition: string(),
  DestinationType: string(),
  LocalBindPort: int(),
  Datacenter: string(),
  LocalBindAddress: string(),
  LocalBindSocketPath: string(),
  LocalBindSocketMode: string(),
  MeshGateway: nullable(object(ConsulMeshGateway)),
  Config: nullable(map(any())),
});
export type ConsulUpstream = Infer<typeof ConsulUpstream>;

export const ConsulTransparentProxy = noun('ConsulTransparentProxy', {
  UID: string(),
  OutboundPort: int(),
  ExcludeInboundPorts: nullable(list(string())),
  ExcludeOutboundPorts: nullable(list(int())),
  ExcludeOutboundCIDRs: nullable(list(string())),
  ExcludeUIDs: nullable(list(string())),
  NoDNS: bool(),
});
export type ConsulTransparentProxy = Infer<typeof ConsulTransparentProxy>;

export const ConsulExposePath = noun('ConsulExposePath', {
  Path: string(),
  Protocol: string(),
  LocalPathPort: int(),
  ListenerPort: string(),
});
export type ConsulExposePath = Infer<typeof ConsulExposePath>;

export const ConsulExposeConfig = noun('ConsulExposeConfig', {
  Paths: nullable(list(object(ConsulExposePath))),
  Path: nullable(list(object(ConsulExposePath))),
});
export type ConsulExposeConfig = Infer<typeof ConsulExposeConfig>;

export const ConsulProxy = noun('ConsulProxy', {
  LocalServiceAddress: string(),
  LocalServicePort: int(),
  Expose: nullable(object(ConsulExposeConfig)),
  ExposeConfig: nullable(object(ConsulExposeConfig)),
  Upstreams: nullable(list(object(ConsulUpstream))),
  TransparentProxy: nullable(object(ConsulTransparentProxy)),
  Config: nullable(map(any())),
});
export type ConsulProxy = Infer<typeof ConsulProxy>;

export const ConsulSidecarService = noun('ConsulSidecarService', {
  Tags: nullable(list(string())),
  Port: string(),
  Proxy: nullable(object(ConsulProxy)),
  DisableDefaultTCPCheck: bool(),
  Meta: nullable(map(string())),
});
export type ConsulSidecarService = Infer<typeof ConsulSidecarService>;

export const SidecarTask = noun('SidecarTask', {
  Name: string(),
  Driver: string(),
  User: string(),
  Config: nullable(map(any())),
  Env: nullable(map(string())),
  Resources: nullable(object(Resources)),
  Meta: nullable(map(string())),
  KillTimeout: duration(),
  LogConfig: nullable(object(LogConfig)),
  ShutdownDelay: duration(),
  KillSignal: string(),
  VolumeMounts: nullable(list(object(VolumeMount))),
  Identities: nullable(list(object(WorkloadIdentity))),
});
export type SidecarTask = Infer<typeof SidecarTask>;

export const ConsulGatewayBindAddress = noun('ConsulGatewayBindAddress', {
  Name: string(),
  Address: string(),
  Port: int(),
});
export type ConsulGatewayBindAddress = Infer<typeof ConsulGatewayBindAddress>;

export const ConsulGatewayProxy = noun('ConsulGatewayProxy', {
  ConnectTimeout: duration(),
  EnvoyGatewayBindTaggedAddresses: bool(),
  EnvoyGatewayBindAddresses: nullable(map(object(ConsulGatewayBindAddress))),
  EnvoyGatewayNoDefaultBind: bool(),
  EnvoyDNSDiscoveryType: string(),
  Config: nullable(map(any())),
});
export type ConsulGatewayProxy = Infer<typeof ConsulGatewayProxy>;

export const ConsulGatewayTLSSDSConfig = noun('ConsulGatewayTLSSDSConfig', {
  ClusterName: string(),
  CertResource: string(),
});
export type ConsulGatewayTLSSDSConfig = Infer<typeof ConsulGatewayTLSSDSConfig>;

export const ConsulGatewayTLSConfig = noun('ConsulGatewayTLSConfig', {
  Enabled: bool(),
  TLSMinVersion: string(),
  TLSMaxVersion: string(),
  CipherSuites: nullable(list(string())),
  SDS: nullable(object(ConsulGatewayTLSSDSConfig)),
});
export type ConsulGatewayTLSConfig = Infer<typeof ConsulGatewayTLSConfig>;

export const ConsulHTTPHeaderModifiers = noun('ConsulHTTPHeaderModifiers', {
  Add: nullable(map(string())),
  Set: nullable(map(string())),
  Remove: nullable(list(string())),
});
export type ConsulHTTPHeaderModifiers = Infer<typeof ConsulHTTPHeaderModifiers>;

export const ConsulIngressService = noun('ConsulIngressService', {
  Name: string(),
  Hosts: nullable(list(string())),
  TLS: nullable(object(ConsulGatewayTLSConfig)),
  RequestHeaders: nullable(object(ConsulHTTPHeaderModifiers)),
  ResponseHeaders: nullable(object(ConsulHTTPHeaderModifiers)),
  MaxConnections: int(),
  MaxPendingRequests: int(),
  MaxConcurrentRequests: int(),
});
export type ConsulIngressService = Infer<typeof ConsulIngressService>;

export const ConsulIngressListener = noun('ConsulIngressListener', {
  Port: int(),
  Protocol: string(),
  Services: nullable(list(object(ConsulIngressService))),
});
export type ConsulIngressListener = Infer<typeof ConsulIngressListener>;

export const ConsulIngressConfigEntry = noun('ConsulIngressConfigEntry', {
  TLS: nullable(object(ConsulGatewayTLSConfig)),
  Listeners: nullable(list(object(ConsulIngressListener))),
});
export type ConsulIngressConfigEntry = Infer<typeof ConsulIngressConfigEntry>;

export const ConsulLinkedService = noun('ConsulLinkedService', {
  Name: string(),
  CAFile: string(),
  CertFile: string(),
  KeyFile: string(),
  SNI: string(),
});
export type ConsulLinkedService = Infer<typeof ConsulLinkedService>;

export const ConsulTerminatingConfigEntry = noun('ConsulTerminatingConfigEntry', {
  Services: nullable(list(object(ConsulLinkedService))),
});
export type ConsulTerminatingConfigEntry = Infer<typeof ConsulTerminatingConfigEntry>;

export const ConsulMeshConfigEntry = noun('ConsulMeshConfigEntry', {});
export type ConsulMeshConfigEntry = Infer<typeof ConsulMeshConfigEntry>;

export const ConsulGateway = noun('ConsulGateway', {
  Proxy: nullable(object(ConsulGatewayProxy)),
  Ingress: nullable(object(ConsulIngressConfigEntry)),
  Terminating: nullable(object(ConsulTerminatingConfigEntry)),
  Mesh: nullable(object(ConsulMeshConfigEntry)),
});
export type ConsulGateway = Infer<typeof ConsulGateway>;

export const ConsulConnect = noun('ConsulConnect', {
  Native: bool(),
  Gateway: nullable(object(ConsulGateway)),
  SidecarService: nullable(object(ConsulSidecarService)),
  SidecarTask: nullable(object(SidecarTask)),
});
export type ConsulConnect = Infer<typeof ConsulConnect>;
