import { attr, bool, duration, type Infer, int, noun, string } from './schema.ts';

export const ReschedulePolicy = noun('ReschedulePolicy', {
  Attempts: int({ hcl: attr('attempts'), optional: true }),
  Interval: duration({ hcl: attr('interval'), optional: true }),
  Delay: duration({ hcl: attr('delay'), optional: true }),
  DelayFunction: string({ hcl: attr('delay_function'), optional: true }),
  MaxDelay: duration({ hcl: attr('max_delay'), optional: true }),
  Unlimited: bool({ hcl: attr('unlimited'), optional: true }),
});
export type ReschedulePolicy = Infer<typeof ReschedulePolicy>;
