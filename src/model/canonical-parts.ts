import { withoutNulls } from './fill.ts';
import type { Job } from './job.ts';
import type { Input } from './schema.ts';

/** What the agent brings to a job's defaults. */
export interface Defaults {
  readonly region: string;
  readonly namespace: string;
  /** The namespace's own pool, where it has one. */
  readonly nodePool?: string;
  /** The identity that tasks with a vault block get, where the agent's configuration names one. `ttl` in nanoseconds. */
  readonly vaultIdentity?: { readonly audience: readonly string[]; readonly ttl: number };
}

/** What groups and tasks need of their job. */
export interface JobPart {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly namespace: string;
  update: Input<NonNullable<Job['Update']>> | undefined;
  readonly reschedule: Input<Job['Reschedule']> | undefined;
  readonly migrate: Input<Job['Migrate']> | undefined;
  readonly consulNamespace: string;
}

/**
 * A job's update block as its author gave it. In the canonical form only two of its fields are kept and the others read zero,
 * which nobody can ask for (an empty health check is refused): then those two alone count, so that what GET returned can be PUT.
 */
export function updateGiven(update: Input<Job['Update']>, type: string): Input<Job['Update']> | undefined {
  if (update.HealthCheck !== '') return withoutNulls(update);
  if (!update.Stagger && !update.MaxParallel) return hasUpdates(type) ? { MaxParallel: 0 } : undefined;
  return withoutNulls({ Stagger: update.Stagger ?? null, MaxParallel: update.MaxParallel ?? null });
}

/** Jobs of these types are updated in steps. */
export const hasUpdates = (type: string) => type === 'service' || type === 'system';
