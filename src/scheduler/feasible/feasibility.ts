import type { Node } from '../../model/node.ts';
import { classOf, type NodeSet } from '../node-set.ts';
import type { Requirement } from './requirement.ts';

/** What the requirements of one group say about all nodes of a set. */
export interface Feasibility {
  isFeasible(node: Node): boolean;
  /** Every reason why not, not only the first. */
  reasons(node: Node): readonly string[];
  readonly filtered: FilterCounts;
  /** Computed class → whether its nodes will do, where that does not hang on single nodes. */
  readonly classes: ReadonlyMap<string, boolean>;
  /** Some requirement has to be asked of each node: classes do not tell. */
  readonly escaped: boolean;
}

export interface FilterCounts {
  readonly nodes: number;
  /** Reason → nodes. A node with two reasons counts for both. */
  readonly byReason: ReadonlyMap<string, number>;
  /** Node class (what operators name) → nodes. */
  readonly byClass: ReadonlyMap<string, number>;
}

/** Asks once per computed class what can be asked so: its cost hangs on the number of classes, not of nodes. */
export function feasibility(set: NodeSet, requirements: readonly Requirement[]): Feasibility {
  const shared = requirements.filter((requirement) => !requirement.unique);
  const single = requirements.filter((requirement) => requirement.unique);
  const reasonsByClass = new Map<string, readonly string[]>();
  for (const [name, nodes] of set.classes) reasonsByClass.set(name, unmet(shared, nodes[0]!));
  const classReasons = (node: Node): readonly string[] => {
    const name = classOf(node);
    const found = reasonsByClass.get(name);
    if (found !== undefined) return found;
    const reasons = unmet(shared, node);
    reasonsByClass.set(name, reasons);
    return reasons;
  };
  return {
    isFeasible: (node) => classReasons(node).length === 0 && single.every((each) => each.unmetBy(node) === undefined),
    reasons: (node) => [...classReasons(node), ...unmet(single, node)],
    filtered: single.length === 0 ? countByClass(set, reasonsByClass) : countByNode(set, classReasons, single),
    classes: new Map([...reasonsByClass].map(([name, reasons]) => [name, reasons.length === 0])),
    escaped: single.length > 0,
  };
}

function unmet(requirements: readonly Requirement[], node: Node): readonly string[] {
  const reasons: string[] = [];
  for (const requirement of requirements) {
    const reason = requirement.unmetBy(node);
    if (reason !== undefined && !reasons.includes(reason)) reasons.push(reason);
  }
  return reasons;
}

class Counter {
  nodes = 0;
  readonly byReason = new Map<string, number>();
  readonly byClass = new Map<string, number>();

  add(count: number, nodeClass: string, reasons: readonly string[]): void {
    if (reasons.length === 0) return;
    this.nodes += count;
    if (nodeClass !== '') this.byClass.set(nodeClass, (this.byClass.get(nodeClass) ?? 0) + count);
    for (const reason of reasons) this.byReason.set(reason, (this.byReason.get(reason) ?? 0) + count);
  }
}

function countByClass(set: NodeSet, reasons: ReadonlyMap<string, readonly string[]>): FilterCounts {
  const counter = new Counter();
  for (const [name, nodes] of set.classes) counter.add(nodes.length, nodes[0]!.NodeClass, reasons.get(name) ?? []);
  return counter;
}

function countByNode(
  set: NodeSet,
  classReasons: (node: Node) => readonly string[],
  single: readonly Requirement[],
): FilterCounts {
  const counter = new Counter();
  for (const node of set.nodes) counter.add(1, node.NodeClass, [...classReasons(node), ...unmet(single, node)]);
  return counter;
}
