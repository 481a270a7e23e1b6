import { any, bool, type Infer, int, list, map, noun, nullable, object, string } from './schema.ts';

/** Somebody scaled a group, or noted why not. */
export const ScalingEvent = noun('ScalingEvent', {
  /** Null: only a note. */
  Count: nullable(int()),
  PreviousCount: int(),
  Error: bool(),
  Message: string(),
  Meta: nullable(map(any())),
  /** Null: nothing was to be scheduled. */
  EvalID: nullable(string()),
  /** Unix nanoseconds. */
  Time: int(),
  CreateIndex: int(),
});
export type ScalingEvent = Infer<typeof ScalingEvent>;

/** Per group of one job, newest first. */
export const JobScalingEvents = noun('JobScalingEvents', {
  Namespace: string(),
  JobID: string(),
  ScalingEvents: map(list(object(ScalingEvent))),
  ModifyIndex: int(),
});
export type JobScalingEvents = Infer<typeof JobScalingEvents>;
