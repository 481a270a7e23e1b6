import { second } from '../lib/duration.ts';
import { Action } from './action.ts';
import { TaskArtifact } from './artifact.ts';
import { Affinity, Constraint } from './constraint.ts';
import { Consul } from './consul.ts';
import { TaskCSIPluginConfig } from './csi-plugin.ts';
import { DispatchPayloadConfig } from './dispatch-payload.ts';
import { WorkloadIdentity } from './identity.ts';
import { Isolation } from './isolation.ts';
import { TaskLifecycle } from './lifecycle.ts';
import { LogConfig } from './log-config.ts';
import { Resources } from './resources.ts';
import { RestartPolicy } from './restart-policy.ts';
import { ScalingPolicy } from './scaling-policy.ts';
import { TaskSchedule } from './schedule.ts';
import {
  any,
  attr,
  block,
  blocks,
  bool,
  duration,
  free,
  type Infer,
  label,
  list,
  map,
  mapping,
  noun,
  nullable,
  object,
  omitted,
  string,
} from './schema.ts';
import { Secret } from './secret.ts';
import { Service } from './service.ts';
import { Template } from './template.ts';
import { Vault } from './vault.ts';
import { VolumeMount } from './volume.ts';

export const Task = noun('Task', {
  Name: string({ hcl: label() }),
  Driver: string({ hcl: attr('driver') }),
  User: string({ hcl: attr('user') }),
  Lifecycle: nullable(object(TaskLifecycle, { hcl: block('lifecycle') })),
  Config: nullable(map(any(), { hcl: free('config') })),
  Constraints: nullable(list(object(Constraint), { hcl: blocks('constraint') })),
  Affinities: nullable(list(object(Affinity), { hcl: blocks('affinity') })),
  Env: nullable(map(string(), { hcl: mapping('env') })),
  Services: nullable(list(object(Service), { hcl: blocks('service') })),
  Resources: object(Resources, { hcl: block('resources') }),
  RestartPolicy: object(RestartPolicy, { hcl: block('restart') }),
  Meta: nullable(map(string(), { hcl: mapping('meta') })),
  KillTimeout: duration({ hcl: attr('kill_timeout'), optional: true, fallback: 5 * second }),
  LogConfig: object(LogConfig, { hcl: block('logs') }),
  Artifacts: nullable(list(object(TaskArtifact), { hcl: blocks('artifact') })),
  Vault: nullable(object(Vault, { hcl: block('vault') })),
  Consul: nullable(object(Consul, { hcl: block('consul') })),
  Templates: nullable(list(object(Template), { hcl: blocks('template') })),
  DispatchPayload: nullable(object(DispatchPayloadConfig, { hcl: block('dispatch_payload') })),
  VolumeMounts: nullable(list(object(VolumeMount), { hcl: blocks('volume_mount') })),
  CSIPluginConfig: nullable(object(TaskCSIPluginConfig, { hcl: block('csi_plugin') })),
  Leader: bool({ hcl: attr('leader') }),
  ShutdownDelay: duration({ hcl: attr('shutdown_delay') }),
  KillSignal: string({ hcl: attr('kill_signal') }),
  Kind: string({ hcl: attr('kind') }),
  ScalingPolicies: nullable(list(object(ScalingPolicy), { hcl: blocks('scaling') })),
  Secrets: nullable(list(object(Secret), { hcl: blocks('secret') })),
  /** The default identity: of the identity blocks the one without a name or named `default`. */
  Identity: object(WorkloadIdentity),
  Identities: nullable(list(object(WorkloadIdentity), { hcl: blocks('identity') })),
  Actions: nullable(list(object(Action), { hcl: blocks('action') })),
  Schedule: nullable(object(TaskSchedule, { hcl: block('schedule') })),
  Isolation: omitted(nullable(object(Isolation, { hcl: block('isolation') }))),
});
export type Task = Infer<typeof Task>;
