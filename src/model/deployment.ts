import { bool, duration, type Infer, int, list, map, noun, nullable, object, string, time } from './schema.ts';

export const DeploymentState = noun('DeploymentState', {
  PlacedCanaries: nullable(list(string())),
  AutoRevert: bool(),
  ProgressDeadline: duration(),
  RequireProgressBy: time(),
  Promoted: bool(),
  DesiredCanaries: int(),
  DesiredTotal: int(),
  PlacedAllocs: int(),
  HealthyAllocs: int(),
  UnhealthyAllocs: int(),
  AutoPromote: bool(),
});
export type DeploymentState = Infer<typeof DeploymentState>;

export const Deployment = noun('Deployment', {
  ID: string(),
  Namespace: string(),
  JobID: string(),
  JobVersion: int(),
  JobModifyIndex: int(),
  JobSpecModifyIndex: int(),
  JobCreateIndex: int(),
  IsMultiregion: bool(),
  TaskGroups: nullable(map(object(DeploymentState))),
  Status: string(),
  StatusDescription: string(),
  CreateIndex: int(),
  ModifyIndex: int(),
  CreateTime: int(),
  ModifyTime: int(),
  EvalPriority: int(),
});
export type Deployment = Infer<typeof Deployment>;
