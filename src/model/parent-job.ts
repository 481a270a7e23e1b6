import type { Job } from './job.ts';

/** Runs nothing itself: others are made of it, by its cron lines or when it is dispatched. */
export function isParentJob(job: Pick<Job, 'Periodic' | 'ParameterizedJob' | 'Dispatched'>): boolean {
  return job.Periodic !== null || isDispatchable(job);
}

/** What was dispatched keeps the block of the job it came from, and cannot be dispatched again. */
export function isDispatchable(job: Pick<Job, 'ParameterizedJob' | 'Dispatched'>): boolean {
  return job.ParameterizedJob !== null && !job.Dispatched;
}
