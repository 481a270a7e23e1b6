import { type Infer, int, map, noun, nullable, object, string } from './schema.ts';

export const TaskGroupSummary = noun('TaskGroupSummary', {
  Queued: int(),
  Complete: int(),
  Failed: int(),
  Running: int(),
  Starting: int(),
  Lost: int(),
  Unknown: int(),
});
export type TaskGroupSummary = Infer<typeof TaskGroupSummary>;

export const JobChildrenSummary = noun('JobChildrenSummary', {
  Pending: int(),
  Running: int(),
  Dead: int(),
});
export type JobChildrenSummary = Infer<typeof JobChildrenSummary>;

export const JobSummary = noun('JobSummary', {
  JobID: string(),
  Namespace: string(),
  Summary: nullable(map(object(TaskGroupSummary))),
  Children: nullable(object(JobChildrenSummary)),
  CreateIndex: int(),
  ModifyIndex: int(),
});
export type JobSummary = Infer<typeof JobSummary>;
