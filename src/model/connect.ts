import { second } from '../lib/duration.ts';
import { WorkloadIdentity } from './identity.ts';
import { LogConfig } from './log-config.ts';
import { Resources } from './resources.ts';
import {
  any,
  attr,
  block,
  blocks,
  bool,
  duration,
  free,
  type Infer,
  inputOnly,
  int,
  label,
  list,
  map,
  noun,
  nullable,
  object,
  string,
} from './schema.ts';
import { VolumeMount } from './volume.ts';

export const ConsulMeshGateway = noun('ConsulMeshGateway', {
  Mode: string({ hcl: attr('mode') }),
});
export type ConsulMeshGateway = Infer<typeof ConsulMeshGateway>;

export const ConsulUpstream = noun('ConsulUpstream', {
  DestinationName: string({ hcl: attr('destination_name') }),
  DestinationNamespace: string({ hcl: attr('destination_namespace') }),
  DestinationPeer: string({ hcl: attr('destination_peer') }),
  DestinationPartition: string({ hcl: attr('destination_partition') }),
  DestinationType: string({ hcl: attr('destination_type') }),
  LocalBindPort: int({ hcl: attr('local_bind_port') }),
  Datacenter: string({ hcl: attr('datacenter') }),
  LocalBindAddress: string({ hcl: attr('local_bind_address') }),
  LocalBindSocketPath: string({ hcl: attr('local_bind_socket_path') }),
  LocalBindSocketMode: string({ hcl: attr('local_bind_socket_mode') }),
  MeshGateway: nullable(object(ConsulMeshGateway, { hcl: block('mesh_gateway') })),
  Config: nullable(map(any(), { hcl: free('config') })),
});
export type ConsulUpstream = Infer<typeof ConsulUpstream>;

export const ConsulTransparentProxy = noun('ConsulTransparentProxy', {
  UID: string({ hcl: attr('uid') }),
  OutboundPort: int({ hcl: attr('outbound_port'), bits: 'uint16' }),
  ExcludeInboundPorts: nullable(list(string(), { hcl: attr('exclude_inbound_ports') })),
  ExcludeOutboundPorts: nullable(list(int(), { hcl: attr('exclude_outbound_ports') })),
  ExcludeOutboundCIDRs: nullable(list(string(), { hcl: attr('exclude_outbound_cidrs') })),
  ExcludeUIDs: nullable(list(string(), { hcl: attr('exclude_uids') })),
  NoDNS: bool({ hcl: attr('no_dns') }),
});
export type ConsulTransparentProxy = Infer<typeof ConsulTransparentProxy>;

export const ConsulExposePath = noun('ConsulExposePath', {
  Path: string({ hcl: attr('path') }),
  Protocol: string({ hcl: attr('protocol') }),
  LocalPathPort: int({ hcl: attr('local_path_port') }),
  ListenerPort: string({ hcl: attr('listener_port') }),
});
export type ConsulExposePath = Infer<typeof ConsulExposePath>;

export const ConsulExposeConfig = noun('ConsulExposeConfig', {
  Paths: nullable(list(object(ConsulExposePath), { hcl: blocks('path') })),
  Path: inputOnly(nullable(list(object(ConsulExposePath)))),
});
export type ConsulExposeConfig = Infer<typeof ConsulExposeConfig>;

export const ConsulProxy = noun('ConsulProxy', {
  LocalServiceAddress: string({ hcl: attr('local_service_address') }),
  LocalServicePort: int({ hcl: attr('local_service_port') }),
  Expose: nullable(object(ConsulExposeConfig, { hcl: block('expose') })),
  ExposeConfig: inputOnly(nullable(object(ConsulExposeConfig))),
  Upstreams: nullable(list(object(ConsulUpstream), { hcl: blocks('upstreams') })),
  TransparentProxy: nullable(object(ConsulTransparentProxy, { hcl: block('transparent_proxy') })),
  Config: nullable(map(any(), { hcl: free('config') })),
});
export type ConsulProxy = Infer<typeof ConsulProxy>;

export const ConsulSidecarService = noun('ConsulSidecarService', {
  Tags: nullable(list(string(), { hcl: attr('tags') })),
  Port: string({ hcl: attr('port') }),
  Proxy: nullable(object(ConsulProxy, { hcl: block('proxy') })),
  DisableDefaultTCPCheck: bool({ hcl: attr('disable_default_tcp_check') }),
  Meta: nullable(map(string(), { hcl: block('meta') })),
});
export type ConsulSidecarService = Infer<typeof ConsulSidecarService>;

export const SidecarTask = noun('SidecarTask', {
  Name: string({ hcl: attr('name') }),
  Driver: string({ hcl: attr('driver') }),
  User: string({ hcl: attr('user') }),
  Config: nullable(map(any(), { hcl: free('config') })),
  Env: nullable(map(string(), { hcl: block('env') })),
  Resources: nullable(object(Resources, { hcl: block('resources') })),
  Meta: nullable(map(string(), { hcl: block('meta') })),
  KillTimeout: duration({ hcl: attr('kill_timeout'), optional: true }),
  LogConfig: nullable(object(LogConfig, { hcl: block('logs') })),
  ShutdownDelay: duration({ hcl: attr('shutdown_delay'), optional: true }),
  KillSignal: string({ hcl: attr('kill_signal') }),
  VolumeMounts: nullable(list(object(VolumeMount), { hcl: blocks('volume_mount') })),
  Identities: nullable(list(object(WorkloadIdentity), { hcl: blocks('identity') })),
});
export type SidecarTask = Infer<typeof SidecarTask>;

export const ConsulGatewayBindAddress = noun('ConsulGatewayBindAddress', {
  Name: inputOnly(string({ hcl: label() })),
  Address: string({ hcl: attr('address') }),
  Port: int({ hcl: attr('port') }),
});
export type ConsulGatewayBindAddress = Infer<typeof ConsulGatewayBindAddress>;

export const ConsulGatewayProxy = noun('ConsulGatewayProxy', {
  ConnectTimeout: duration({ hcl: attr('connect_timeout'), optional: true, fallback: 5 * second }),
  EnvoyGatewayBindTaggedAddresses: bool({ hcl: attr('envoy_gateway_bind_tagged_addresses') }),
  EnvoyGatewayBindAddresses: nullable(
    map(object(ConsulGatewayBindAddress), { hcl: block('envoy_gateway_bind_addresses') }),
  ),
  EnvoyGatewayNoDefaultBind: bool({ hcl: attr('envoy_gateway_no_default_bind') }),
  EnvoyDNSDiscoveryType: string({ hcl: attr('envoy_dns_discovery_type') }),
  Config: nullable(map(any(), { hcl: free('config') })),
});
export type ConsulGatewayProxy = Infer<typeof ConsulGatewayProxy>;

export const ConsulGatewayTLSSDSConfig = noun('ConsulGatewayTLSSDSConfig', {
  ClusterName: string({ hcl: attr('cluster_name') }),
  CertResource: string({ hcl: attr('cert_resource') }),
});
export type ConsulGatewayTLSSDSConfig = Infer<typeof ConsulGatewayTLSSDSConfig>;

export const ConsulGatewayTLSConfig = noun('ConsulGatewayTLSConfig', {
  Enabled: bool({ hcl: attr('enabled') }),
  TLSMinVersion: string({ hcl: attr('tls_min_version') }),
  TLSMaxVersion: string({ hcl: attr('tls_max_version') }),
  CipherSuites: nullable(list(string(), { hcl: attr('cipher_suites') })),
  SDS: nullable(object(ConsulGatewayTLSSDSConfig, { hcl: block('sds') })),
});
export type ConsulGatewayTLSConfig = Infer<typeof ConsulGatewayTLSConfig>;

export const ConsulHTTPHeaderModifiers = noun('ConsulHTTPHeaderModifiers', {
  Add: nullable(map(string(), { hcl: block('add') })),
  Set: nullable(map(string(), { hcl: block('set') })),
  Remove: nullable(list(string(), { hcl: attr('remove') })),
});
export type ConsulHTTPHeaderModifiers = Infer<typeof ConsulHTTPHeaderModifiers>;

export const ConsulIngressService = noun('ConsulIngressService', {
  Name: string({ hcl: attr('name') }),
  Hosts: nullable(list(string(), { hcl: attr('hosts') })),
  TLS: nullable(object(ConsulGatewayTLSConfig, { hcl: block('tls') })),
  RequestHeaders: nullable(object(ConsulHTTPHeaderModifiers, { hcl: block('request_headers') })),
  ResponseHeaders: nullable(object(ConsulHTTPHeaderModifiers, { hcl: block('response_headers') })),
  MaxConnections: nullable(int({ hcl: attr('max_connections'), bits: 'uint32', optional: true })),
  MaxPendingRequests: nullable(int({ hcl: attr('max_pending_requests'), bits: 'uint32', optional: true })),
  MaxConcurrentRequests: nullable(int({ hcl: attr('max_concurrent_requests'), bits: 'uint32', optional: true })),
});
export type ConsulIngressService = Infer<typeof ConsulIngressService>;

export const ConsulIngressListener = noun('ConsulIngressListener', {
  Port: int({ hcl: attr('port') }),
  Protocol: string({ hcl: attr('protocol') }),
  Services: nullable(list(object(ConsulIngressService), { hcl: blocks('service') })),
});
export type ConsulIngressListener = Infer<typeof ConsulIngressListener>;

export const ConsulIngressConfigEntry = noun('ConsulIngressConfigEntry', {
  TLS: nullable(object(ConsulGatewayTLSConfig, { hcl: block('tls') })),
  Listeners: nullable(list(object(ConsulIngressListener), { hcl: blocks('listener') })),
});
export type ConsulIngressConfigEntry = Infer<typeof ConsulIngressConfigEntry>;

export const ConsulLinkedService = noun('ConsulLinkedService', {
  Name: string({ hcl: attr('name') }),
  CAFile: string({ hcl: attr('ca_file') }),
  CertFile: string({ hcl: attr('cert_file') }),
  KeyFile: string({ hcl: attr('key_file') }),
  SNI: string({ hcl: attr('sni') }),
});
export type ConsulLinkedService = Infer<typeof ConsulLinkedService>;

export const ConsulTerminatingConfigEntry = noun('ConsulTerminatingConfigEntry', {
  Services: nullable(list(object(ConsulLinkedService), { hcl: blocks('service') })),
});
export type ConsulTerminatingConfigEntry = Infer<typeof ConsulTerminatingConfigEntry>;

export const ConsulMeshConfigEntry = noun('ConsulMeshConfigEntry', {});
export type ConsulMeshConfigEntry = Infer<typeof ConsulMeshConfigEntry>;

export const ConsulGateway = noun('ConsulGateway', {
  Proxy: nullable(object(ConsulGatewayProxy, { hcl: block('proxy') })),
  Ingress: nullable(object(ConsulIngressConfigEntry, { hcl: block('ingress') })),
  Terminating: nullable(object(ConsulTerminatingConfigEntry, { hcl: block('terminating') })),
  Mesh: nullable(object(ConsulMeshConfigEntry, { hcl: block('mesh') })),
});
export type ConsulGateway = Infer<typeof ConsulGateway>;

export const ConsulConnect = noun('ConsulConnect', {
  Native: bool({ hcl: attr('native') }),
  Gateway: nullable(object(ConsulGateway, { hcl: block('gateway') })),
  SidecarService: nullable(object(ConsulSidecarService, { hcl: block('sidecar_service') })),
  SidecarTask: nullable(object(SidecarTask, { hcl: block('sidecar_task') })),
});
export type ConsulConnect = Infer<typeof ConsulConnect>;
