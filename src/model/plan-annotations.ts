import { any, type Infer, int, list, map, noun, nullable, object } from './schema.ts';

export const DesiredUpdates = noun('DesiredUpdates', {
  Ignore: int(),
  Place: int(),
  Migrate: int(),
  Stop: int(),
  InPlaceUpdate: int(),
  DestructiveUpdate: int(),
  Canary: int(),
  Preemptions: int(),
  Disconnect: int(),
  Reconnect: int(),
  RescheduleNow: int(),
  RescheduleLater: int(),
});
export type DesiredUpdates = Infer<typeof DesiredUpdates>;

export const PlanAnnotations = noun('PlanAnnotations', {
  DesiredTGUpdates: nullable(map(object(DesiredUpdates))),
  PreemptedAllocs: nullable(list(nullable(any()))),
});
export type PlanAnnotations = Infer<typeof PlanAnnotations>;
