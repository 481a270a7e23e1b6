import { withConnect } from './canonical-connect.ts';
import { withExposedChecks } from './canonical-expose.ts';
import { type Defaults, hasUpdates, type JobPart, updateGiven } from './canonical-parts.ts';
import { canonicalService } from './canonical-service.ts';
import { canonicalTask } from './canonical-task.ts';
import { emptyListToNull, emptyMapToNull, fill, merge, withoutNulls } from './fill.ts';
import { Job } from './job.ts';
import {
  defaultMigrateStrategy,
  defaultReschedulePolicy,
  defaultRestartPolicy,
  defaultUpdateStrategy,
  jobDefaults,
} from './job-defaults.ts';
import { addImplied } from './job-implied.ts';
import type { Input } from './schema.ts';
import type { TaskGroup } from './task-group.ts';

/**
 * What a caller sent → the job as it is stored and as GET returns it: every default filled in, the job's policies merged into the
 * groups and those of the groups into the tasks, implied constraints and identities added. Idempotent; never refuses (that is
 * `validateJob`). Indexes, version, status and times stay as given, else zero.
 */
export function canonicalJob(input: Input<Job>, defaults: Defaults): Job {
  const id = input.ID ?? '';
  const part: JobPart = {
    id,
    name: input.Name ?? id,
    type: input.Type ?? jobDefaults.type,
    namespace: input.Namespace || defaults.namespace,
    update: input.Update ? updateGiven(input.Update, input.Type ?? jobDefaults.type) : undefined,
    reschedule: input.Reschedule ?? undefined,
    migrate: input.Migrate ?? undefined,
    consulNamespace: input.ConsulNamespace ?? '',
  };
  if (part.update === undefined && hasUpdates(part.type)) part.update = {};
  const filled = fill(Job, {
    ...input,
    ID: id,
    Name: part.name,
    Namespace: part.namespace,
    Region: input.Region || defaults.region,
    Priority: input.Priority || jobDefaults.priority,
    Datacenters: input.Datacenters?.length ? input.Datacenters : ['*'],
    NodePool: input.NodePool || defaults.nodePool || jobDefaults.nodePool,
    Update: jobUpdate(part),
    Meta: emptyMapToNull(input.Meta),
    UI: input.UI
      ? { ...input.UI, Links: (input.UI.Links ?? []).map((link) => ({ ...link, Url: link.URL ?? link.Url ?? '' })) }
      : null,
    Periodic: input.Periodic ? { ...input.Periodic, TimeZone: input.Periodic.TimeZone || 'UTC' } : null,
    ParameterizedJob: input.ParameterizedJob
      ? { ...input.ParameterizedJob, Payload: input.ParameterizedJob.Payload || 'optional' }
      : null,
    TaskGroups: (input.TaskGroups ?? []).map((group) => canonicalGroup(group, part, defaults)),
  });
  return addImplied(filled);
}

/** Of the job's own update block the server keeps two fields. */
function jobUpdate(job: JobPart): Input<Job['Update']> {
  if (job.update === undefined) return {};
  const { Stagger, MaxParallel } = { ...defaultUpdateStrategy, ...job.update };
  return MaxParallel === 0 ? {} : { Stagger, MaxParallel };
}

function canonicalGroup(group: Input<TaskGroup>, job: JobPart, defaults: Defaults): Input<TaskGroup> {
  const restart = over(defaultRestartPolicy(job.type), group.RestartPolicy);
  const reschedule = merge(job.reschedule, group.ReschedulePolicy);
  const reschedulable = defaultReschedulePolicy(job.type);
  const update = merge(job.update, group.Update);
  const migrate = merge(job.migrate, group.Migrate);
  const name = group.Name ?? '';
  const consul = group.Consul ?? (job.consulNamespace === '' ? null : { Namespace: job.consulNamespace });
  const count = group.Count ?? group.Scaling?.Min ?? 1;
  const settled: Input<TaskGroup> = {
    ...group,
    Name: name,
    Meta: emptyMapToNull(group.Meta),
    Count: count,
    RestartPolicy: restart,
    ReschedulePolicy:
      reschedulable === undefined && reschedule === undefined ? null : over(reschedulable ?? {}, reschedule),
    Update: update === undefined ? null : over(defaultUpdateStrategy, update),
    Migrate: migrate === undefined && job.type !== 'service' ? null : over(defaultMigrateStrategy, migrate),
    Networks: group.Networks?.length ? group.Networks : null,
    Volumes: volumes(group.Volumes),
    Consul: consul,
    StopAfterClientDisconnect: group.StopAfterClientDisconnect ?? null,
    Scaling: group.Scaling
      ? scaling(group.Scaling, count, { Namespace: job.namespace, Job: job.id, Group: name })
      : null,
    Services: emptyListToNull(
      (group.Services ?? []).map((service) =>
        canonicalService(service, { job: job.name, group: name, namespace: job.namespace }),
      ),
    ),
  };
  const canonical = withExposedChecks(withConnect(settled));
  const tasks = (canonical.Tasks ?? []).map((task) =>
    canonicalTask(task, { job, group: canonical, restart }, defaults),
  );
  return { ...canonical, Tasks: tasks };
}

function scaling(
  policy: NonNullable<Input<TaskGroup>['Scaling']>,
  count: number,
  target: { readonly [key: string]: string },
) {
  return {
    ...policy,
    Type: policy.Type || 'horizontal',
    Min: policy.Min ?? count,
    Target: policy.Target && Object.keys(policy.Target).length > 0 ? policy.Target : target,
  };
}

function volumes(given: Input<TaskGroup>['Volumes']): Input<TaskGroup['Volumes']> {
  const entries = Object.entries(given ?? {}).filter((entry) => entry[1] != null);
  if (entries.length === 0) return null;
  return Object.fromEntries(
    entries.map(([name, volume]) => [name, { ...volume, Name: volume!.Name || name }]),
  ) as Input<TaskGroup['Volumes']>;
}

function over<T extends object>(defaults: Input<T>, given: Input<T> | null | undefined): Input<T> {
  return { ...defaults, ...withoutNulls(given) };
}
