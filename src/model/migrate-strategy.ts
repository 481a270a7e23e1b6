import { attr, duration, type Infer, int, noun, string } from './schema.ts';

export const MigrateStrategy = noun('MigrateStrategy', {
  MaxParallel: int({ hcl: attr('max_parallel'), optional: true }),
  HealthCheck: string({ hcl: attr('health_check'), optional: true }),
  MinHealthyTime: duration({ hcl: attr('min_healthy_time'), optional: true }),
  HealthyDeadline: duration({ hcl: attr('healthy_deadline'), optional: true }),
});
export type MigrateStrategy = Infer<typeof MigrateStrategy>;
