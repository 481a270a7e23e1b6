import { bool, duration, type Infer, int, noun, string } from './schema.ts';

export const ReschedulePolicy = noun('ReschedulePolicy', {
  Attempts: int(),
  Interval: duration(),
  Delay: duration(),
  DelayFunction: string(),
  MaxDelay: duration(),
  Unlimited: bool(),
});
export type ReschedulePolicy = Infer<typeof ReschedulePolicy>;
