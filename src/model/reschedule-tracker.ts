import { duration, type Infer, int, list, noun, nullable, object, string } from './schema.ts';

export const RescheduleEvent = noun('RescheduleEvent', {
  RescheduleTime: int(),
  PrevAllocID: string(),
  PrevNodeID: string(),
  Delay: duration(),
});
export type RescheduleEvent = Infer<typeof RescheduleEvent>;

export const RescheduleTracker = noun('RescheduleTracker', {
  Events: nullable(list(object(RescheduleEvent))),
  LastReschedule: string(),
});
export type RescheduleTracker = Infer<typeof RescheduleTracker>;
