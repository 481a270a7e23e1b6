import { type Infer, noun, nullable, object, string } from './schema.ts';

export const TaskScheduleCron = noun('TaskScheduleCron', {
  Start: string(),
  End: string(),
  Timezone: string(),
});
export type TaskScheduleCron = Infer<typeof TaskScheduleCron>;

export const TaskSchedule = noun('TaskSchedule', {
  Cron: nullable(object(TaskScheduleCron)),
});
export type TaskSchedule = Infer<typeof TaskSchedule>;
