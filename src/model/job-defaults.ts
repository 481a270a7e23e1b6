/** Every default of a job in one place. Those that depend on nothing stand in the field tables as `fallback` and come from here where shared. */
import { hour, minute, second } from '../lib/duration.ts';

export const jobDefaults = {
  region: 'global',
  namespace: 'default',
  nodePool: 'default',
  type: 'service',
  priority: 50,
} as const;

/** A priority outside is refused. */
export const priorityRange = { minimum: 1, maximum: 100 } as const;
export const maximumCount = 50_000;

const serviceRestart = { Interval: 30 * minute, Attempts: 2, Delay: 15 * second, Mode: 'fail', RenderTemplates: false };
const batchRestart = { ...serviceRestart, Interval: 24 * hour, Attempts: 3 };

/** Restart policies by job type. */
export function defaultRestartPolicy(type: string) {
  return type === 'batch' || type === 'sysbatch' ? batchRestart : serviceRestart;
}

const serviceReschedule = {
  Attempts: 0,
  Interval: 0,
  Delay: 30 * second,
  DelayFunction: 'exponential',
  MaxDelay: hour,
  Unlimited: true,
};
const batchReschedule = {
  Attempts: 1,
  Interval: 24 * hour,
  Delay: 5 * second,
  DelayFunction: 'constant',
  MaxDelay: 0,
  Unlimited: false,
};

/** Reschedule policies by job type; undefined: jobs of this type are never rescheduled elsewhere. */
export function defaultReschedulePolicy(type: string) {
  if (type === 'service') return serviceReschedule;
  return type === 'batch' ? batchReschedule : undefined;
}

export const defaultUpdateStrategy = {
  Stagger: 30 * second,
  MaxParallel: 1,
  HealthCheck: 'checks',
  MinHealthyTime: 10 * second,
  HealthyDeadline: 5 * minute,
  ProgressDeadline: 10 * minute,
  Canary: 0,
  AutoRevert: false,
  AutoPromote: false,
};

export const defaultMigrateStrategy = {
  MaxParallel: 1,
  HealthCheck: 'checks',
  MinHealthyTime: 10 * second,
  HealthyDeadline: 5 * minute,
};

/** MHz where a task asks for neither cpu nor cores. */
export const defaultCpu = 100;
/** Every task has an identity of this name, for this audience. */
export const defaultIdentity = { name: 'default', audience: 'nomadproject.io' } as const;
