import { attr, bool, duration, type Infer, noun, nullable, string } from './schema.ts';

export const DisconnectStrategy = noun('DisconnectStrategy', {
  LostAfter: duration({ hcl: attr('lost_after'), optional: true }),
  StopOnClientAfter: nullable(duration({ hcl: attr('stop_on_client_after'), optional: true })),
  Replace: bool({ hcl: attr('replace'), optional: true, fallback: true }),
  Reconcile: string({ hcl: attr('reconcile'), optional: true, fallback: 'best_score' }),
});
export type DisconnectStrategy = Infer<typeof DisconnectStrategy>;
