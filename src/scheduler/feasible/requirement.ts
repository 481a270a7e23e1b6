import type { Node } from '../../model/node.ts';

/**
 * One thing a group asks of a node, whatever else runs there. It checks and explains in one: the same function says whether a node will do
 * and, for people, why not.
 */
export interface Requirement {
  /** Nodes of one computed class may differ in it: asked of each node, not of each class. */
  readonly unique: boolean;
  /** The reason why not, as Nomad's clients show it in `ConstraintFiltered`; `undefined`: the node will do. */
  unmetBy(node: Node): string | undefined;
}
