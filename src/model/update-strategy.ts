import { attr, bool, duration, type Infer, int, noun, string } from './schema.ts';

export const UpdateStrategy = noun('UpdateStrategy', {
  Stagger: duration({ hcl: attr('stagger'), optional: true }),
  MaxParallel: int({ hcl: attr('max_parallel'), optional: true }),
  HealthCheck: string({ hcl: attr('health_check'), optional: true }),
  MinHealthyTime: duration({ hcl: attr('min_healthy_time'), optional: true }),
  HealthyDeadline: duration({ hcl: attr('healthy_deadline'), optional: true }),
  ProgressDeadline: duration({ hcl: attr('progress_deadline'), optional: true }),
  Canary: int({ hcl: attr('canary'), optional: true }),
  AutoRevert: bool({ hcl: attr('auto_revert'), optional: true }),
  AutoPromote: bool({ hcl: attr('auto_promote'), optional: true }),
});
export type UpdateStrategy = Infer<typeof UpdateStrategy>;
