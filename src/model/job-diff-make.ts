import { Job } from './job.ts';
import type { DiffType, JobDiff, TaskDiff, TaskGroupDiff } from './job-diff.ts';
import { nounParts, orNull, type Parts, type Row } from './job-diff-objects.ts';
import { Task } from './task.ts';
import { TaskGroup } from './task-group.ts';

/**
 * What changed from one version of a job to another. No old job: everything is added; no new one: everything is deleted.
 * `contextual`: objects that changed also show their unchanged fields.
 */
export function diffJobs(before: Job | null, after: Job | null, contextual: boolean): JobDiff {
  const parts = nounParts(Job, before, after, contextual, true);
  const groups = byName(before?.TaskGroups ?? [], after?.TaskGroups ?? []).map(([old, now]) =>
    diffGroups(old, now, contextual),
  );
  const changed = isChange(parts) || groups.some(({ Type }) => Type !== 'None');
  return {
    Type: changeType(before, after, changed),
    ID: (after ?? before)?.ID ?? '',
    Fields: orNull(parts.fields),
    Objects: orNull(parts.objects),
    TaskGroups: orNull(groups),
  };
}

function diffGroups(before: TaskGroup | null, after: TaskGroup | null, contextual: boolean): TaskGroupDiff {
  const parts = nounParts(TaskGroup, before, after, contextual, true);
  const tasks = byName(before?.Tasks ?? [], after?.Tasks ?? []).map(([old, now]) => diffTasks(old, now, contextual));
  const changed = isChange(parts) || tasks.some(({ Type }) => Type !== 'None');
  return {
    Type: changeType(before, after, changed),
    Name: (after ?? before)!.Name,
    Fields: orNull(parts.fields),
    Objects: orNull(parts.objects),
    Tasks: orNull(tasks),
    Updates: null,
  };
}

function diffTasks(before: Task | null, after: Task | null, contextual: boolean): TaskDiff {
  const parts = nounParts(Task, before, after, contextual, true);
  return {
    Type: changeType(before, after, isChange(parts)),
    Name: (after ?? before)!.Name,
    Fields: orNull(parts.fields),
    Objects: orNull(parts.objects),
    Annotations: null,
  };
}

const isChange = ({ fields, objects }: Parts) => fields.length > 0 || objects.length > 0;

function changeType(before: Row | null, after: Row | null, changed: boolean): DiffType {
  if (before === null && after !== null) return 'Added';
  if (before !== null && after === null) return 'Deleted';
  return changed ? 'Edited' : 'None';
}

/** Pairs of the same name, ordered by name. */
function byName<T extends { readonly Name: string }>(
  before: readonly T[],
  after: readonly T[],
): readonly (readonly [T | null, T | null])[] {
  const names = [...new Set([...before, ...after].map(({ Name }) => Name))].sort();
  const of = (rows: readonly T[], name: string) => rows.find(({ Name }) => Name === name) ?? null;
  return names.map((name) => [of(before, name), of(after, name)] as const);
}
