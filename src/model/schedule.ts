import { attr, block, type Infer, noun, nullable, object, string } from './schema.ts';

export const TaskScheduleCron = noun('TaskScheduleCron', {
  Start: string({ hcl: attr('start') }),
  End: string({ hcl: attr('end') }),
  Timezone: string({ hcl: attr('timezone') }),
});
export type TaskScheduleCron = Infer<typeof TaskScheduleCron>;

export const TaskSchedule = noun('TaskSchedule', {
  Cron: nullable(object(TaskScheduleCron, { hcl: block('cron') })),
});
export type TaskSchedule = Infer<typeof TaskSchedule>;
