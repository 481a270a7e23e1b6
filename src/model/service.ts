import { ConsulConnect } from './connect.ts';
import { WorkloadIdentity } from './identity.ts';
import { bool, duration, type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';

export const CheckRestart = noun('CheckRestart', {
  Limit: int(),
  Grace: duration(),
  IgnoreWarnings: bool(),
});
export type CheckRestart = Infer<typeof CheckRestart>;

export const ServiceCheck = noun('ServiceCheck', {
  Name: string(),
  Type: string(),
  Command: string(),
  Args: nullable(list(string())),
  Path: string(),
  Protocol: string(),
  PortLabel: string(),
  Expose: bool(),
  AddressMode: string(),
  Advertise: string(),
  Interval: duration(),
  Timeout: duration(),
  InitialStatus: string(),
  Notes: string(),
  TLSServerName: string(),
  TLSSkipVerify: bool(),
  Header: nullable(map(nullable(list(string())))),
  Method: string(),
  CheckRestart: nullable(object(CheckRestart)),
  GRPCService: string(),
  GRPCUseTLS: bool(),
  TaskName: string(),
  SuccessBeforePassing: int(),
  FailuresBeforeCritical: int(),
  FailuresBeforeWarning: int(),
  Body: string(),
  OnUpdate: string(),
});
export type ServiceCheck = Infer<typeof ServiceCheck>;

export const ServiceWeights = noun('ServiceWeights', {
  Passing: int(),
  Warning: int(),
});
export type ServiceWeights = Infer<typeof ServiceWeights>;

export const Service = noun('Service', {
  Name: string(),
  Tags: nullable(list(string())),
  CanaryTags: nullable(list(string())),
  EnableTagOverride: bool(),
  PortLabel: string(),
  AddressMode: string(),
  Address: string(),
  Checks: nullable(list(object(ServiceCheck))),
  CheckRestart: nullable(object(CheckRestart)),
  Connect: nullable(object(ConsulConnect)),
  Meta: nullable(map(string())),
  CanaryMeta: nullable(map(string())),
  TaggedAddresses: nullable(map(string())),
  TaskName: string(),
  OnUpdate: string(),
  Identity: nullable(object(WorkloadIdentity)),
  Weights: nullable(object(ServiceWeights)),
  Provider: string(),
  Cluster: string(),
  Kind: string(),
  Namespace: string(),
});
export type Service = Infer<typeof Service>;
