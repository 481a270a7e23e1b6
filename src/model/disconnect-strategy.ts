import { bool, duration, type Infer, noun, nullable, string } from './schema.ts';

export const DisconnectStrategy = noun('DisconnectStrategy', {
  LostAfter: duration(),
  StopOnClientAfter: nullable(duration()),
  Replace: nullable(bool()),
  Reconcile: string(),
});
export type DisconnectStrategy = Infer<typeof DisconnectStrategy>;
