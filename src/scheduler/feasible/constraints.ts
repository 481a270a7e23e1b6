import type { Constraint } from '../../model/constraint.ts';
import { operandHolds } from './operand.ts';
import type { Requirement } from './requirement.ts';
import { isUnique, resolveTarget } from './target.ts';

/** `${attr.kernel.name} = linux`, the text under which clients count the nodes it excludes. */
export function constraintText({ LTarget, Operand, RTarget }: Constraint): string {
  return `${LTarget} ${Operand} ${RTarget}`;
}

export function constraintRequirement(constraint: Constraint): Requirement {
  const { LTarget, Operand, RTarget } = constraint;
  const text = constraintText(constraint);
  return {
    unique: isUnique(LTarget) || isUnique(RTarget),
    unmetBy: (node) =>
      operandHolds(Operand, resolveTarget(LTarget, node), resolveTarget(RTarget, node)) ? undefined : text,
  };
}
