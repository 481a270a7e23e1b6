import { validateAffinities, validateConstraints, validateSpreads } from './constraint-validate.ts';
import { cronProblem } from './cron.ts';
import { nest, problems } from './error-list.ts';
import { groupWarnings, validateGroup } from './group-validate.ts';
import { validateIsolation } from './isolation-floor.ts';
import type { Job, ParameterizedJobConfig, PeriodicConfig } from './job.ts';
import { maximumCount, priorityRange } from './job-defaults.ts';

export { formatErrors, formatWarnings } from './error-list.ts';

export interface Validation {
  /** The job is refused for these; `formatErrors` gives the server's layout. */
  readonly errors: readonly string[];
  /** Said, and accepted; `formatWarnings` gives the layout. */
  readonly warnings: readonly string[];
}

export interface ValidationContext {
  /** The scheduler allows tasks more memory than they reserve. Without it `memory_max` is said to do nothing. */
  readonly memoryOversubscription?: boolean;
}

const jobTypes = ['service', 'batch', 'system', 'sysbatch'];

/** Every problem of a job in canonical form at once. Whether its namespace and node pool exist is the server's to ask. */
export function validateJob(job: Job, context: ValidationContext = {}): Validation {
  const count = job.TaskGroups.reduce((sum, group) => sum + group.Count, 0);
  const errors = [
    ...problems(
      [job.Region === '' && job.Multiregion === null, 'Missing job region'],
      [job.ID === '', 'Missing job ID'],
      [job.ID.includes(' '), 'Job ID contains a space'],
      [job.ID.includes('\0'), 'Job ID contains a null character'],
      [job.Name === '', 'Missing job name'],
      [job.Name.includes('\0'), 'Job Name contains a null character'],
      [job.Namespace === '', 'Job must be in a namespace'],
      [!jobTypes.includes(job.Type), `Invalid job type: "${job.Type}"`],
      [job.Datacenters.includes(''), 'job datacenter must be non-empty string'],
      [job.TaskGroups.length === 0, 'Missing job task groups'],
      [(job.UI?.Description.length ?? 0) > 1000, 'UI description is longer than 1000 characters'],
    ),
    ...validateConstraints(job.Constraints, 'job'),
    ...validateIsolation(job),
    ...placement(job),
    ...groups(job),
    ...launches(job),
    ...problems(
      [
        job.Priority < priorityRange.minimum || job.Priority > priorityRange.maximum,
        `job priority must be between [${priorityRange.minimum}, ${priorityRange.maximum}]`,
      ],
      [count > maximumCount, `job wants ${count} allocations, more than ${maximumCount}`],
    ),
  ];
  return {
    errors,
    warnings: [...jobWarnings(job), ...job.TaskGroups.flatMap((group) => groupWarnings(group, context))],
  };
}

function placement(job: Job): readonly string[] {
  if (job.Type !== 'system') return [...validateAffinities(job.Affinities), ...validateSpreads(job.Spreads)];
  return problems(
    [(job.Affinities?.length ?? 0) > 0, 'System jobs may not have an affinity block'],
    [(job.Spreads?.length ?? 0) > 0, 'System jobs may not have a spread block'],
  );
}

function groups(job: Job): readonly string[] {
  const seen = new Map<string, number>();
  const names = job.TaskGroups.flatMap((group, index) => {
    const before = seen.get(group.Name);
    if (group.Name === '') return [`Job task group ${index + 1} missing name`];
    seen.set(group.Name, before ?? index + 1);
    return problems(
      [before !== undefined, `Job task group ${index + 1} redefines '${group.Name}' from group ${before}`],
      [
        job.Type === 'system' && group.Count > 1,
        `Job task group ${group.Name} has count ${group.Count}. Count cannot exceed 1 with system scheduler`,
      ],
    );
  });
  return [
    ...names,
    ...job.TaskGroups.flatMap((group) => nest(`Task group ${group.Name} validation failed`, validateGroup(group, job))),
  ];
}

function launches(job: Job): readonly string[] {
  const batch = job.Type === 'batch' || job.Type === 'sysbatch';
  const periodic = job.Periodic?.Enabled ? job.Periodic : null;
  return [
    ...problems([periodic !== null && !batch, 'Periodic can only be used with "batch" or "sysbatch" scheduler']),
    ...(periodic === null ? [] : nest('', validatePeriodic(periodic))),
    ...problems([
      job.ParameterizedJob !== null && !batch,
      'Parameterized job can only be used with "batch" or "sysbatch" scheduler',
    ]),
    ...(job.ParameterizedJob === null ? [] : nest('', validateParameterized(job.ParameterizedJob))),
  ];
}

function validatePeriodic(periodic: PeriodicConfig): readonly string[] {
  const lines = periodic.Spec === '' ? periodic.Specs : [periodic.Spec, ...periodic.Specs];
  return [
    ...problems(
      [lines.length === 0, 'Must specify a spec'],
      [periodic.Spec !== '' && periodic.Specs.length > 0, 'Only one of cron or crons can be used'],
      [
        periodic.SpecType !== 'cron' && periodic.SpecType !== '_internal_test',
        `Unknown periodic specification type "${periodic.SpecType}"`,
      ],
      [!isTimeZone(periodic.TimeZone), `Invalid time zone "${periodic.TimeZone}"`],
    ),
    ...lines.flatMap((line) => {
      const problem = cronProblem(line);
      return problem === undefined ? [] : [`Invalid cron spec "${line}": ${problem}`];
    }),
  ];
}

function isTimeZone(name: string): boolean {
  if (name === 'Local') return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function validateParameterized(config: ParameterizedJobConfig): readonly string[] {
  const required = new Set(config.MetaRequired ?? []);
  const both = (config.MetaOptional ?? []).filter((key) => required.has(key));
  return problems(
    [
      !['optional', 'required', 'forbidden'].includes(config.Payload),
      `Invalid payload requirement: "${config.Payload}"`,
    ],
    [
      both.length > 0,
      `Required and optional meta keys should be disjoint. Following keys exist in both: ${both.join(', ')}`,
    ],
  );
}

function jobWarnings(job: Job): readonly string[] {
  const groups = job.TaskGroups.filter((group) => (group.Update?.Canary ?? 0) > 0);
  const promoting = groups.filter((group) => group.Update?.AutoPromote);
  return problems(
    [(job.Periodic?.Spec ?? '') !== '', 'cron is deprecated and may be removed in a future release. Use crons instead'],
    [
      promoting.length > 0 && promoting.length < groups.length,
      'auto_promote must be true for all groups to enable automatic promotion',
    ],
  );
}
