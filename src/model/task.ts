import { Action } from './action.ts';
import { TaskArtifact } from './artifact.ts';
import { Affinity, Constraint } from './constraint.ts';
import { Consul } from './consul.ts';
import { TaskCSIPluginConfig } from './csi-plugin.ts';
import { DispatchPayloadConfig } from './dispatch-payload.ts';
import { WorkloadIdentity } from './identity.ts';
import { TaskLifecycle } from './lifecycle.ts';
import { LogConfig } from './log-config.ts';
import { Resources } from './resources.ts';
import { RestartPolicy } from './restart-policy.ts';
import { ScalingPolicy } from './scaling-policy.ts';
import { TaskSchedule } from './schedule.ts';
import { any, bool, duration, type Infer, list, map, noun, nullable, object, omitted, string } from './schema.ts';
import { Secret } from './secret.ts';
import { Service } from './service.ts';
import { Template } from './template.ts';
import { Vault } from './vault.ts';
import { VolumeMount } from './volume.ts';

export const Task = noun('Task', {
  Name: string(),
  Driver: string(),
  User: string(),
  Lifecycle: nullable(object(TaskLifecycle)),
  Config: nullable(map(any())),
  Constraints: nullable(list(object(Constraint))),
  Affinities: nullable(list(object(Affinity))),
  Env: nullable(map(string())),
  Services: nullable(list(object(Service))),
  Resources: nullable(object(Resources)),
  RestartPolicy: nullable(object(RestartPolicy)),
  Meta: nullable(map(string())),
  KillTimeout: duration(),
  LogConfig: nullable(object(LogConfig)),
  Artifacts: nullable(list(object(TaskArtifact))),
  Vault: nullable(object(Vault)),
  Consul: nullable(object(Consul)),
  Templates: nullable(list(object(Template))),
  DispatchPayload: nullable(object(DispatchPayloadConfig)),
  VolumeMounts: nullable(list(object(VolumeMount))),
  CSIPluginConfig: omitted(nullable(object(TaskCSIPluginConfig))),
  Leader: bool(),
  ShutdownDelay: duration(),
  KillSignal: string(),
  Kind: string(),
  ScalingPolicies: nullable(list(object(ScalingPolicy))),
  Secrets: nullable(list(object(Secret))),
  Identity: nullable(object(WorkloadIdentity)),
  Identities: nullable(list(object(WorkloadIdentity))),
  Actions: nullable(list(object(Action))),
  Schedule: nullable(object(TaskSchedule)),
});
export type Task = Infer<typeof Task>;
