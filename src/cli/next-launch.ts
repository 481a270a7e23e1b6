import { earliestLaunch } from '../model/cron-next.ts';
import type { PeriodicConfig } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import { formatAgo, formatTime } from './formats.ts';

/** `2026-01-01T00:00:00Z (1mo2d from now)`; undefined: the job is not launched by a clock. */
export function nextPeriodicLaunch(periodic: Input<PeriodicConfig> | null | undefined): string | undefined {
  if (periodic == null || periodic.Enabled === false) return undefined;
  const lines = periodic.Specs?.length ? periodic.Specs : [periodic.Spec ?? ''];
  const next = earliestLaunch(
    lines.flatMap((line) => line ?? []),
    Date.now(),
    periodic.TimeZone || 'UTC',
  );
  return next === undefined ? undefined : `${formatTime(next * 1e6)} (${formatAgo(next * 1e6)})`;
}
