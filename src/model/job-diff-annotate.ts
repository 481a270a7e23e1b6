import type { FieldDiff, JobDiff, TaskDiff, TaskGroupDiff } from './job-diff.ts';
import type { DesiredUpdates } from './plan-annotations.ts';

/** Texts that Nomad's command line prints as they are. */
const forces = {
  create: 'forces create',
  destroy: 'forces destroy',
  inPlace: 'forces in-place update',
  replace: 'forces create/destroy update',
} as const;

/** Adds to the differences what they make the scheduler do; `updates` by group, as the plan found them. */
export function annotateDiff(diff: JobDiff, updates: { readonly [group: string]: DesiredUpdates } | null): JobDiff {
  return { ...diff, TaskGroups: diff.TaskGroups?.map((group) => annotateGroup(group, updates?.[group.Name])) ?? null };
}

function annotateGroup(group: TaskGroupDiff, updates: DesiredUpdates | undefined): TaskGroupDiff {
  return {
    ...group,
    Updates: updates === undefined ? null : updateCounts(updates),
    Fields: group.Fields?.map((field) => (field.Name === 'Count' ? annotateCount(field) : field)) ?? null,
    Tasks: group.Tasks?.map((task) => annotateTask(task, group)) ?? null,
  };
}

function updateCounts(updates: DesiredUpdates): { readonly [what: string]: number } {
  const counts: readonly (readonly [string, number])[] = [
    ['ignore', updates.Ignore],
    ['create', updates.Place],
    ['migrate', updates.Migrate],
    ['destroy', updates.Stop],
    ['in-place update', updates.InPlaceUpdate],
    ['create/destroy update', updates.DestructiveUpdate],
    ['canary', updates.Canary],
    ['preemptions', updates.Preemptions],
  ];
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

function annotateCount(field: FieldDiff): FieldDiff {
  const up = Number(field.New) > Number(field.Old);
  const text = field.Type === 'Added' || (field.Type === 'Edited' && up) ? forces.create : forces.destroy;
  return field.Type === 'None' ? field : { ...field, Annotations: [text] };
}

function annotateTask(task: TaskDiff, group: TaskGroupDiff): TaskDiff {
  if (task.Type === 'None') return task;
  if (group.Type === 'Added') return { ...task, Annotations: [forces.create] };
  if (group.Type === 'Deleted') return { ...task, Annotations: [forces.destroy] };
  return { ...task, Annotations: [isDestructive(task) ? forces.replace : forces.inPlace] };
}

/** Kill timeouts, log sizes, services and constraints change while a task runs; all else replaces it. */
function isDestructive(task: TaskDiff): boolean {
  if (task.Fields?.some(({ Name, Type }) => Type !== 'None' && Name !== 'KillTimeout')) return true;
  return (task.Objects ?? []).some((object) => {
    if (object.Name === 'Service' || object.Name === 'Constraint') return false;
    if (object.Name !== 'LogConfig') return true;
    return object.Fields?.some(({ Name, Type }) => Name === 'Disabled' && Type !== 'None') ?? false;
  });
}
