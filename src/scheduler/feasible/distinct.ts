/** Constraints that look at the job's other allocations: asked anew for each placement. */
import type { Constraint } from '../../model/constraint.ts';
import type { Job } from '../../model/job.ts';
import type { Node } from '../../model/node.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import type { JobPresence } from '../job-presence.ts';

/** The reason why the node may not have one more; `undefined`: it may. */
export type DistinctRule = (node: Node) => string | undefined;

export function distinctRules(job: Job, group: TaskGroup, presence: JobPresence): readonly DistinctRule[] {
  return [
    ...(job.Constraints ?? []).flatMap((constraint) => distinctRule(constraint, '', presence)),
    ...(group.Constraints ?? []).flatMap((constraint) => distinctRule(constraint, group.Name, presence)),
  ];
}

/** `scope`: a group, or empty for the whole job. */
function distinctRule(
  { Operand, LTarget, RTarget }: Constraint,
  scope: string,
  presence: JobPresence,
): readonly DistinctRule[] {
  if (Operand === 'distinct_hosts' && RTarget !== 'false') {
    const there = (node: Node) => (scope === '' ? presence.ofJob(node.ID) : presence.ofGroup(node.ID, scope));
    return [(node) => (there(node) > 0 ? 'distinct_hosts' : undefined)];
  }
  if (Operand !== 'distinct_property') return [];
  const limit = Number.parseInt(RTarget, 10) || 1;
  const counts = presence.counts(scope, LTarget);
  return [
    (node) => {
      const value = counts.valueOf(node);
      if (value === undefined) return `missing property "${LTarget}"`;
      const used = counts.count(value);
      return used < limit ? undefined : `distinct_property: ${LTarget}=${value} used by ${used} allocs`;
    },
  ];
}
