import type { Affinity } from '../../model/constraint.ts';
import type { Job } from '../../model/job.ts';
import type { Node } from '../../model/node.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import { operandHolds } from '../feasible/operand.ts';
import { resolveTarget } from '../feasible/target.ts';

/** The affinities of the job, the group and its tasks together. */
export function affinitiesOf(job: Job, group: TaskGroup): readonly Affinity[] {
  return [
    ...(job.Affinities ?? []),
    ...(group.Affinities ?? []),
    ...group.Tasks.flatMap((task) => task.Affinities ?? []),
  ];
}

/** -1 … 1: the weights of the affinities that hold, of the sum of all weights. */
export function affinityScore(affinities: readonly Affinity[], node: Node): number {
  let sum = 0;
  let total = 0;
  for (const { LTarget, Operand, RTarget, Weight } of affinities) {
    sum += Math.abs(Weight);
    if (operandHolds(Operand, resolveTarget(LTarget, node), resolveTarget(RTarget, node))) total += Weight;
  }
  return sum === 0 ? 0 : total / sum;
}
