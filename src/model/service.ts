import { second } from '../lib/duration.ts';
import { ConsulConnect } from './connect.ts';
import { WorkloadIdentity } from './identity.ts';
import {
  attr,
  block,
  blocks,
  bool,
  canonicalOnly,
  duration,
  type Infer,
  inputOnly,
  int,
  list,
  map,
  noun,
  nullable,
  object,
  string,
} from './schema.ts';

export const CheckRestart = noun('CheckRestart', {
  Limit: int({ hcl: attr('limit') }),
  Grace: duration({ hcl: attr('grace'), optional: true, fallback: second }),
  IgnoreWarnings: bool({ hcl: attr('ignore_warnings') }),
});
export type CheckRestart = Infer<typeof CheckRestart>;

export const ServiceCheck = noun('ServiceCheck', {
  Name: string({ hcl: attr('name') }),
  Type: string({ hcl: attr('type') }),
  Command: string({ hcl: attr('command') }),
  Args: nullable(list(string(), { hcl: attr('args') })),
  Path: string({ hcl: attr('path') }),
  Protocol: string({ hcl: attr('protocol') }),
  PortLabel: string({ hcl: attr('port') }),
  Expose: bool({ hcl: attr('expose') }),
  AddressMode: string({ hcl: attr('address_mode') }),
  Advertise: inputOnly(string({ hcl: attr('advertise') })),
  Interval: duration({ hcl: attr('interval') }),
  Timeout: duration({ hcl: attr('timeout') }),
  InitialStatus: string({ hcl: attr('initial_status') }),
  Notes: string({ hcl: attr('notes') }),
  TLSServerName: string({ hcl: attr('tls_server_name') }),
  TLSSkipVerify: bool({ hcl: attr('tls_skip_verify') }),
  Header: nullable(map(nullable(list(string())), { hcl: block('header') })),
  Method: string({ hcl: attr('method') }),
  CheckRestart: nullable(object(CheckRestart, { hcl: block('check_restart') })),
  GRPCService: string({ hcl: attr('grpc_service') }),
  GRPCUseTLS: bool({ hcl: attr('grpc_use_tls') }),
  TaskName: string({ hcl: attr('task') }),
  SuccessBeforePassing: int({ hcl: attr('success_before_passing') }),
  FailuresBeforeCritical: int({ hcl: attr('failures_before_critical') }),
  FailuresBeforeWarning: int({ hcl: attr('failures_before_warning') }),
  Body: string({ hcl: attr('body') }),
  OnUpdate: string({ hcl: attr('on_update') }),
});
export type ServiceCheck = Infer<typeof ServiceCheck>;

export const ServiceWeights = noun('ServiceWeights', {
  Passing: int({ hcl: attr('passing') }),
  Warning: int({ hcl: attr('warning') }),
});
export type ServiceWeights = Infer<typeof ServiceWeights>;

export const Service = noun('Service', {
  Name: string({ hcl: attr('name') }),
  Tags: nullable(list(string(), { hcl: attr('tags') })),
  CanaryTags: nullable(list(string(), { hcl: attr('canary_tags') })),
  EnableTagOverride: bool({ hcl: attr('enable_tag_override') }),
  PortLabel: string({ hcl: attr('port') }),
  AddressMode: string({ hcl: attr('address_mode'), fallback: 'auto' }),
  Address: string({ hcl: attr('address') }),
  Checks: nullable(list(object(ServiceCheck), { hcl: blocks('check') })),
  /** Merged into each check. */
  CheckRestart: inputOnly(nullable(object(CheckRestart, { hcl: block('check_restart') }))),
  Connect: nullable(object(ConsulConnect, { hcl: block('connect') })),
  Meta: nullable(map(string(), { hcl: block('meta') })),
  CanaryMeta: nullable(map(string(), { hcl: block('canary_meta') })),
  TaggedAddresses: nullable(map(string(), { hcl: block('tagged_addresses') })),
  TaskName: string({ hcl: attr('task') }),
  OnUpdate: string({ hcl: attr('on_update') }),
  Identity: nullable(object(WorkloadIdentity, { hcl: block('identity') })),
  Weights: nullable(object(ServiceWeights, { hcl: block('weights') })),
  Provider: string({ hcl: attr('provider'), fallback: 'consul' }),
  Cluster: string({ hcl: attr('cluster'), fallback: 'default' }),
  Kind: string({ hcl: attr('kind') }),
  Namespace: canonicalOnly(string()),
});
export type Service = Infer<typeof Service>;
