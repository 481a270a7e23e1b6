import { Affinity, Constraint, Spread } from './constraint.ts';
import { MigrateStrategy } from './migrate-strategy.ts';
import { ReschedulePolicy } from './reschedule-policy.ts';
import { bool, bytes, type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';
import { TaskGroup } from './task-group.ts';
import { UpdateStrategy } from './update-strategy.ts';

export const PeriodicConfig = noun('PeriodicConfig', {
  Enabled: bool(),
  Spec: string(),
  Specs: nullable(list(string())),
  SpecType: string(),
  ProhibitOverlap: bool(),
  TimeZone: string(),
});
export type PeriodicConfig = Infer<typeof PeriodicConfig>;

export const ParameterizedJobConfig = noun('ParameterizedJobConfig', {
  Payload: string(),
  MetaRequired: nullable(list(string())),
  MetaOptional: nullable(list(string())),
});
export type ParameterizedJobConfig = Infer<typeof ParameterizedJobConfig>;

export const MultiregionStrategy = noun('MultiregionStrategy', {
  MaxParallel: int(),
  OnFailure: string(),
});
export type MultiregionStrategy = Infer<typeof MultiregionStrategy>;

export const MultiregionRegion = noun('MultiregionRegion', {
  Name: string(),
  Count: int(),
  Datacenters: nullable(list(string())),
  NodePool: string(),
  Meta: nullable(map(string())),
});
export type MultiregionRegion = Infer<typeof MultiregionRegion>;

export const Multiregion = noun('Multiregion', {
  Strategy: nullable(object(MultiregionStrategy)),
  Regions: nullable(list(object(MultiregionRegion))),
});
export type Multiregion = Infer<typeof Multiregion>;

export const JobUILink = noun('JobUILink', {
  Label: string(),
  URL: string(),
});
export type JobUILink = Infer<typeof JobUILink>;

export const JobUIConfig = noun('JobUIConfig', {
  Description: string(),
  Links: nullable(list(object(JobUILink))),
});
export type JobUIConfig = Infer<typeof JobUIConfig>;

export const JobVersionTag = noun('JobVersionTag', {
  Name: string(),
  Description: string(),
  TaggedTime: int(),
});
export type JobVersionTag = Infer<typeof JobVersionTag>;

export const Job = noun('Job', {
  Region: string(),
  Namespace: string(),
  ID: string(),
  Name: string(),
  Type: string(),
  Priority: int(),
  AllAtOnce: bool(),
  Datacenters: nullable(list(string())),
  NodePool: string(),
  Constraints: nullable(list(object(Constraint))),
  Affinities: nullable(list(object(Affinity))),
  TaskGroups: nullable(list(object(TaskGroup))),
  Update: nullable(object(UpdateStrategy)),
  Multiregion: nullable(object(Multiregion)),
  Spreads: nullable(list(object(Spread))),
  Periodic: nullable(object(PeriodicConfig)),
  ParameterizedJob: nullable(object(ParameterizedJobConfig)),
  Reschedule: nullable(object(ReschedulePolicy)),
  Migrate: nullable(object(MigrateStrategy)),
  Meta: nullable(map(string())),
  UI: nullable(object(JobUIConfig)),
  Stop: bool(),
  ParentID: string(),
  Dispatched: bool(),
  DispatchIdempotencyToken: string(),
  Payload: nullable(bytes()),
  ConsulNamespace: string(),
  VaultNamespace: string(),
  NomadTokenID: string(),
  Status: string(),
  StatusDescription: string(),
  Stable: bool(),
  Version: int(),
  SubmitTime: int(),
  CreateIndex: int(),
  ModifyIndex: int(),
  JobModifyIndex: int(),
  VersionTag: nullable(object(JobVersionTag)),
});
export type Job = Infer<typeof Job>;
