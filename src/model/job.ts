import { Affinity, Constraint, Spread } from './constraint.ts';
import { Isolation } from './isolation.ts';
import { jobDefaults } from './job-defaults.ts';
import { MigrateStrategy } from './migrate-strategy.ts';
import { ReschedulePolicy } from './reschedule-policy.ts';
import {
  attr,
  block,
  blocks,
  bool,
  bytes,
  canonicalOnly,
  type Infer,
  inputOnly,
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
import { TaskGroup } from './task-group.ts';
import { UpdateStrategy } from './update-strategy.ts';

export const PeriodicConfig = noun('PeriodicConfig', {
  Enabled: bool({ hcl: attr('enabled'), optional: true, fallback: true }),
  Spec: string({ hcl: attr('cron'), optional: true }),
  Specs: list(string(), { hcl: attr('crons') }),
  SpecType: string({ optional: true, fallback: 'cron' }),
  ProhibitOverlap: bool({ hcl: attr('prohibit_overlap'), optional: true }),
  TimeZone: string({ hcl: attr('time_zone'), optional: true, fallback: 'UTC' }),
});
export type PeriodicConfig = Infer<typeof PeriodicConfig>;

export const ParameterizedJobConfig = noun('ParameterizedJobConfig', {
  Payload: string({ hcl: attr('payload') }),
  MetaRequired: nullable(list(string(), { hcl: attr('meta_required') })),
  MetaOptional: nullable(list(string(), { hcl: attr('meta_optional') })),
});
export type ParameterizedJobConfig = Infer<typeof ParameterizedJobConfig>;

export const MultiregionStrategy = noun('MultiregionStrategy', {
  MaxParallel: int({ hcl: attr('max_parallel'), optional: true }),
  OnFailure: string({ hcl: attr('on_failure'), optional: true }),
});
export type MultiregionStrategy = Infer<typeof MultiregionStrategy>;

export const MultiregionRegion = noun('MultiregionRegion', {
  Name: string({ hcl: label() }),
  Count: int({ hcl: attr('count'), optional: true }),
  Datacenters: nullable(list(string(), { hcl: attr('datacenters') })),
  NodePool: string({ hcl: attr('node_pool') }),
  Meta: nullable(map(string(), { hcl: block('meta') })),
});
export type MultiregionRegion = Infer<typeof MultiregionRegion>;

export const Multiregion = noun('Multiregion', {
  Strategy: nullable(object(MultiregionStrategy, { hcl: block('strategy') })),
  Regions: nullable(list(object(MultiregionRegion), { hcl: blocks('region') })),
});
export type Multiregion = Infer<typeof Multiregion>;

export const JobUILink = noun('JobUILink', {
  Label: string({ hcl: attr('label') }),
  URL: inputOnly(string({ hcl: attr('url') })),
  /** What the server calls `URL`. */
  Url: canonicalOnly(string()),
});
export type JobUILink = Infer<typeof JobUILink>;

export const JobUIConfig = noun('JobUIConfig', {
  Description: string({ hcl: attr('description') }),
  Links: nullable(list(object(JobUILink), { hcl: blocks('link') })),
});
export type JobUIConfig = Infer<typeof JobUIConfig>;

export const JobVersionTag = noun('JobVersionTag', {
  Name: string(),
  Description: string(),
  TaggedTime: int({ bits: 'int64' }),
});
export type JobVersionTag = Infer<typeof JobVersionTag>;

export const Job = noun('Job', {
  Region: string({ hcl: attr('region'), optional: true, fallback: jobDefaults.region }),
  Namespace: string({ hcl: attr('namespace'), optional: true, fallback: jobDefaults.namespace }),
  ID: string({ hcl: attr('id'), optional: true }),
  Name: string({ hcl: attr('name'), optional: true }),
  Type: string({ hcl: attr('type'), optional: true, fallback: jobDefaults.type }),
  Priority: int({ hcl: attr('priority'), optional: true, fallback: jobDefaults.priority }),
  AllAtOnce: bool({ hcl: attr('all_at_once'), optional: true }),
  Datacenters: list(string(), { hcl: attr('datacenters') }),
  NodePool: string({ hcl: attr('node_pool'), optional: true }),
  Constraints: nullable(list(object(Constraint), { hcl: blocks('constraint') })),
  Affinities: nullable(list(object(Affinity), { hcl: blocks('affinity') })),
  TaskGroups: list(object(TaskGroup), { hcl: blocks('group') }),
  /** Of the job's own update block only `Stagger` and `MaxParallel` are kept; the groups hold what counts. */
  Update: object(UpdateStrategy, { hcl: block('update') }),
  Multiregion: nullable(object(Multiregion, { hcl: block('multiregion') })),
  Spreads: nullable(list(object(Spread), { hcl: blocks('spread') })),
  Periodic: nullable(object(PeriodicConfig, { hcl: block('periodic') })),
  ParameterizedJob: nullable(object(ParameterizedJobConfig, { hcl: block('parameterized') })),
  Reschedule: inputOnly(nullable(object(ReschedulePolicy, { hcl: block('reschedule') }))),
  Migrate: inputOnly(nullable(object(MigrateStrategy, { hcl: block('migrate') }))),
  Meta: nullable(map(string(), { hcl: mapping('meta') })),
  UI: nullable(object(JobUIConfig, { hcl: block('ui') })),
  /** Unlike Nomad: what every task of the job may not fall below. */
  Isolation: omitted(nullable(object(Isolation, { hcl: block('isolation') }))),
  Stop: bool({ optional: true }),
  ParentID: string({ optional: true }),
  Dispatched: bool(),
  DispatchIdempotencyToken: string({ optional: true }),
  Payload: nullable(bytes()),
  ConsulNamespace: string({ optional: true }),
  VaultNamespace: string({ optional: true }),
  NomadTokenID: string({ optional: true }),
  Status: string({ optional: true }),
  StatusDescription: string({ optional: true }),
  Stable: bool({ optional: true }),
  Version: int({ optional: true, bits: 'uint64' }),
  SubmitTime: int({ optional: true, bits: 'int64' }),
  CreateIndex: int({ optional: true, bits: 'uint64' }),
  ModifyIndex: int({ optional: true, bits: 'uint64' }),
  JobModifyIndex: int({ optional: true, bits: 'uint64' }),
  VersionTag: nullable(object(JobVersionTag)),
});
export type Job = Infer<typeof Job>;
