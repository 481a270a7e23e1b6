import { AllocatedResources } from './allocated-resources.ts';
import { AllocationMetric } from './allocation-metric.ts';
import { NamespaceIsolation } from './isolation.ts';
import { Job } from './job.ts';
import { AllocNetworkStatus } from './network.ts';
import { RescheduleTracker } from './reschedule-tracker.ts';
import { Resources } from './resources.ts';
import { any, bool, type Infer, int, list, map, noun, nullable, object, omitted, string, time } from './schema.ts';
import { TaskState } from './task-state.ts';

export const AllocDeploymentStatus = noun('AllocDeploymentStatus', {
  Healthy: nullable(bool()),
  Timestamp: time(),
  Canary: bool(),
  ModifyIndex: int(),
});
export type AllocDeploymentStatus = Infer<typeof AllocDeploymentStatus>;

export const DesiredTransition = noun('DesiredTransition', {
  Migrate: nullable(bool()),
  Reschedule: nullable(bool()),
  ForceReschedule: nullable(bool()),
  NoShutdownDelay: nullable(bool()),
  MigrateDisablePlacement: nullable(bool()),
});
export type DesiredTransition = Infer<typeof DesiredTransition>;

export const Allocation = noun('Allocation', {
  ID: string(),
  Namespace: string(),
  EvalID: string(),
  Name: string(),
  NodeID: string(),
  NodeName: string(),
  JobID: string(),
  Job: nullable(object(Job)),
  /** Which version of the job this runs: a stored row has Job null and is joined with the version on reading. */
  JobVersion: int({ visibility: 'stored' }),
  TaskGroup: string(),
  Resources: nullable(object(Resources)),
  TaskResources: nullable(map(object(Resources))),
  AllocatedResources: nullable(object(AllocatedResources)),
  Services: nullable(map(string())),
  Metrics: nullable(object(AllocationMetric)),
  DesiredStatus: string(),
  DesiredDescription: string(),
  DesiredTransition: object(DesiredTransition),
  ClientStatus: string(),
  ClientDescription: string(),
  TaskStates: nullable(map(object(TaskState))),
  DeploymentID: string(),
  DeploymentStatus: nullable(object(AllocDeploymentStatus)),
  FollowupEvalID: string(),
  PreviousAllocation: string(),
  NextAllocation: string(),
  RescheduleTracker: nullable(object(RescheduleTracker)),
  NetworkStatus: nullable(object(AllocNetworkStatus)),
  PreemptedAllocations: nullable(list(string())),
  PreemptedByAllocation: string(),
  CreateIndex: int(),
  ModifyIndex: int(),
  AllocModifyIndex: int(),
  CreateTime: int(),
  ModifyTime: int(),
  AllocStates: nullable(list(any())),
  SharedResources: nullable(object(Resources)),
  /** What its namespace demanded when it was placed. */
  NamespaceIsolation: omitted(nullable(object(NamespaceIsolation))),
});
export type Allocation = Infer<typeof Allocation>;
