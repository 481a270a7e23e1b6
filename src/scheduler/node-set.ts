/** The nodes that a job's pool and datacenters leave to choose from: ready, eligible, not draining. */
import type { Job } from '../model/job.ts';
import type { Node } from '../model/node.ts';
import type { ServerSnapshot } from './snapshot.ts';

export interface NodeSet {
  readonly nodes: readonly Node[];
  /** Computed class → its nodes, at least one. */
  readonly classes: ReadonlyMap<string, readonly Node[]>;
  /** Datacenter → nodes. */
  readonly available: { readonly [datacenter: string]: number };
}

/** Why no job at all gets onto a node now; empty: it takes new work. */
export function unavailability(node: Node): readonly string[] {
  const reasons: string[] = [];
  if (node.Status !== 'ready') reasons.push(`node is ${node.Status}`);
  if (node.DrainStrategy !== null) reasons.push('node is draining');
  else if (node.SchedulingEligibility !== 'eligible') reasons.push('node is not eligible for scheduling');
  return reasons;
}

export function isInPool(node: Node, pool: string): boolean {
  return pool === 'all' || (node.NodePool || 'default') === (pool || 'default');
}

/** A pattern's `*` stands for any run of characters. */
export function isInDatacenters(node: Node, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    if (!pattern.includes('*')) return pattern === node.Datacenter;
    const escaped = pattern.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${escaped.join('.*')}$`, 's').test(node.Datacenter);
  });
}

/** A node that the server gave no class yet is a class of its own. */
export function classOf(node: Node): string {
  return node.ComputedClass || node.ID;
}

/** Node sets of one state, kept while its nodes do not change. */
export class NodeSets {
  #sets = new Map<string, NodeSet>();
  #nodesIndex = -1;

  of(snapshot: ServerSnapshot, job: Job): NodeSet {
    const index = snapshot.tableIndex?.('nodes');
    if (index === undefined || index !== this.#nodesIndex) this.#sets = new Map();
    this.#nodesIndex = index ?? -1;
    const key = JSON.stringify([job.NodePool, job.Datacenters]);
    const found = this.#sets.get(key) ?? readNodeSet(snapshot, job);
    this.#sets.set(key, found);
    return found;
  }
}

function readNodeSet(snapshot: ServerSnapshot, job: Job): NodeSet {
  const nodes: Node[] = [];
  const byClass = new Map<string, Node[]>();
  const available: { [datacenter: string]: number } = {};
  const inDatacenter = new Map<string, boolean>();
  for (const node of snapshot.scan('nodes')) {
    if (unavailability(node).length > 0 || !isInPool(node, job.NodePool)) continue;
    const known = inDatacenter.get(node.Datacenter) ?? isInDatacenters(node, job.Datacenters);
    inDatacenter.set(node.Datacenter, known);
    if (!known) continue;
    nodes.push(node);
    available[node.Datacenter] = (available[node.Datacenter] ?? 0) + 1;
    const name = classOf(node);
    const peers = byClass.get(name);
    if (peers === undefined) byClass.set(name, [node]);
    else peers.push(node);
  }
  return { nodes, classes: byClass, available };
}
