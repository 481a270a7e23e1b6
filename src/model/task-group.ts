import { Affinity, Constraint, Spread } from './constraint.ts';
import { Consul } from './consul.ts';
import { DisconnectStrategy } from './disconnect-strategy.ts';
import { EphemeralDisk } from './ephemeral-disk.ts';
import { MigrateStrategy } from './migrate-strategy.ts';
import { NetworkResource } from './network.ts';
import { ReschedulePolicy } from './reschedule-policy.ts';
import { RestartPolicy } from './restart-policy.ts';
import { ScalingPolicy } from './scaling-policy.ts';
import { bool, duration, type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';
import { Service } from './service.ts';
import { Task } from './task.ts';
import { UpdateStrategy } from './update-strategy.ts';
import { VolumeRequest } from './volume.ts';

export const TaskGroup = noun('TaskGroup', {
  Name: string(),
  Count: int(),
  Constraints: nullable(list(object(Constraint))),
  Affinities: nullable(list(object(Affinity))),
  Tasks: nullable(list(object(Task))),
  Spreads: nullable(list(object(Spread))),
  Volumes: nullable(map(object(VolumeRequest))),
  RestartPolicy: nullable(object(RestartPolicy)),
  Disconnect: nullable(object(DisconnectStrategy)),
  ReschedulePolicy: nullable(object(ReschedulePolicy)),
  EphemeralDisk: nullable(object(EphemeralDisk)),
  Update: nullable(object(UpdateStrategy)),
  Migrate: nullable(object(MigrateStrategy)),
  Networks: nullable(list(object(NetworkResource))),
  Meta: nullable(map(string())),
  Services: nullable(list(object(Service))),
  ShutdownDelay: nullable(duration()),
  MaxRunDuration: nullable(duration()),
  StopAfterClientDisconnect: nullable(duration()),
  MaxClientDisconnect: nullable(duration()),
  Scaling: nullable(object(ScalingPolicy)),
  Consul: nullable(object(Consul)),
  PreventRescheduleOnLost: bool(),
});
export type TaskGroup = Infer<typeof TaskGroup>;
