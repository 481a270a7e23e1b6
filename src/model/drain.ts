import { bool, duration, type Infer, map, noun, nullable, string, time } from './schema.ts';

export const DrainSpec = noun('DrainSpec', {
  Deadline: duration(),
  IgnoreSystemJobs: bool(),
});
export type DrainSpec = Infer<typeof DrainSpec>;

export const DrainStrategy = noun('DrainStrategy', {
  ...DrainSpec.fields,
  ForceDeadline: time(),
  StartedAt: time(),
});
export type DrainStrategy = Infer<typeof DrainStrategy>;

export const DrainMetadata = noun('DrainMetadata', {
  StartedAt: time(),
  UpdatedAt: time(),
  Status: string(),
  AccessorID: string(),
  Meta: nullable(map(string())),
});
export type DrainMetadata = Infer<typeof DrainMetadata>;
