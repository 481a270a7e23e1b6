import { type Infer, int, noun, string } from './schema.ts';

/** When a periodic job was last launched: what was due while no server ran is made up for, once. */
export const PeriodicLaunch = noun('PeriodicLaunch', {
  Namespace: string(),
  /** The job's. */
  ID: string(),
  /** Unix nanoseconds. */
  Launch: int(),
  ModifyIndex: int(),
});
export type PeriodicLaunch = Infer<typeof PeriodicLaunch>;
