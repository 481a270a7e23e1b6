import { duration, type Infer, int, noun, string } from './schema.ts';

export const MigrateStrategy = noun('MigrateStrategy', {
  MaxParallel: int(),
  HealthCheck: string(),
  MinHealthyTime: duration(),
  HealthyDeadline: duration(),
});
export type MigrateStrategy = Infer<typeof MigrateStrategy>;
