import { formatDuration, second } from '../lib/duration.ts';
import { parseInstant } from '../lib/instant.ts';
import { earliestLaunch } from '../model/cron-next.ts';
import type { PeriodicConfig } from '../model/job.ts';
import type { Input } from '../model/schema.ts';
import { formatTime } from './formats.ts';

/** `2026-01-01T00:00:00Z (1mo2d from now)`; undefined: the job is not launched by a clock. */
export function nextPeriodicLaunch(periodic: Input<PeriodicConfig> | null | undefined): string | undefined {
  if (periodic == null || periodic.Enabled === false) return undefined;
  const lines = periodic.Specs?.length ? periodic.Specs : [periodic.Spec ?? ''];
  const next = earliestLaunch(
    lines.flatMap((line) => line ?? []),
    Date.now(),
    periodic.TimeZone || 'UTC',
  );
  return next === undefined ? undefined : launchTime(next * 1e6);
}

/** An instant to come, in Unix nanoseconds or as text, and how far away: to the second, as Nomad writes it. */
export function launchTime(time: number | string): string {
  const at = typeof time === 'string' ? parseInstant(time) : time;
  const seconds = Math.max(0, Math.floor((at - Date.now() * 1e6) / second));
  return `${formatTime(time)} (${formatDuration(seconds * second)} from now)`;
}
