import { Affinity, Constraint, Spread } from './constraint.ts';
import { Consul } from './consul.ts';
import { DisconnectStrategy } from './disconnect-strategy.ts';
import { EphemeralDisk } from './ephemeral-disk.ts';
import { Isolation } from './isolation.ts';
import { MigrateStrategy } from './migrate-strategy.ts';
import { NetworkResource } from './network.ts';
import { ReschedulePolicy } from './reschedule-policy.ts';
import { RestartPolicy } from './restart-policy.ts';
import { ScalingPolicy } from './scaling-policy.ts';
import {
  attr,
  block,
  blocks,
  bool,
  duration,
  type Infer,
  int,
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
import { Service } from './service.ts';
import { Task } from './task.ts';
import { UpdateStrategy } from './update-strategy.ts';
import { VolumeRequest } from './volume.ts';

export const TaskGroup = noun('TaskGroup', {
  Name: string({ hcl: label(), optional: true }),
  Count: int({ hcl: attr('count'), optional: true }),
  Constraints: nullable(list(object(Constraint), { hcl: blocks('constraint') })),
  Affinities: nullable(list(object(Affinity), { hcl: blocks('affinity') })),
  Tasks: list(object(Task), { hcl: blocks('task') }),
  Spreads: nullable(list(object(Spread), { hcl: blocks('spread') })),
  Volumes: nullable(map(object(VolumeRequest), { hcl: block('volume') })),
  RestartPolicy: object(RestartPolicy, { hcl: block('restart') }),
  Disconnect: nullable(object(DisconnectStrategy, { hcl: block('disconnect') })),
  ReschedulePolicy: nullable(object(ReschedulePolicy, { hcl: block('reschedule') })),
  EphemeralDisk: object(EphemeralDisk, { hcl: block('ephemeral_disk') }),
  Update: nullable(object(UpdateStrategy, { hcl: block('update') })),
  Migrate: nullable(object(MigrateStrategy, { hcl: block('migrate') })),
  Networks: nullable(list(object(NetworkResource), { hcl: blocks('network') })),
  Meta: nullable(map(string(), { hcl: mapping('meta') })),
  Services: nullable(list(object(Service), { hcl: blocks('service') })),
  ShutdownDelay: nullable(duration({ hcl: attr('shutdown_delay'), optional: true })),
  MaxRunDuration: nullable(duration({ hcl: attr('max_run_duration'), optional: true })),
  StopAfterClientDisconnect: nullable(duration({ hcl: attr('stop_after_client_disconnect'), optional: true })),
  MaxClientDisconnect: nullable(duration({ hcl: attr('max_client_disconnect'), optional: true })),
  Scaling: nullable(object(ScalingPolicy, { hcl: block('scaling') })),
  Consul: nullable(object(Consul, { hcl: block('consul') })),
  PreventRescheduleOnLost: bool({ hcl: attr('prevent_reschedule_on_lost'), optional: true }),
  Isolation: omitted(nullable(object(Isolation, { hcl: block('isolation') }))),
});
export type TaskGroup = Infer<typeof TaskGroup>;
