import { type Infer, int, map, noun, nullable, string } from './schema.ts';

export const JobSubmission = noun('JobSubmission', {
  Source: string(),
  Format: string(),
  VariableFlags: nullable(map(string())),
  Variables: string(),
  JobID: string(),
  JobModifyIndex: int(),
  Namespace: string(),
  Version: int(),
});
export type JobSubmission = Infer<typeof JobSubmission>;
