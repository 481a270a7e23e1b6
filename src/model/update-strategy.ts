import { bool, duration, type Infer, int, noun, string } from './schema.ts';

export const UpdateStrategy = noun('UpdateStrategy', {
  Stagger: duration(),
  MaxParallel: int(),
  HealthCheck: string(),
  MinHealthyTime: duration(),
  HealthyDeadline: duration(),
  ProgressDeadline: duration(),
  Canary: int(),
  AutoRevert: bool(),
  AutoPromote: bool(),
});
export type UpdateStrategy = Infer<typeof UpdateStrategy>;
