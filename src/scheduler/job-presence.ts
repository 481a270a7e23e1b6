/** Where the allocations of one job are, the plan counted in: for constraints and scores that look at the job's other allocations. */
import type { Allocation } from '../model/allocation.ts';
import type { Node } from '../model/node.ts';
import { PropertyCounts } from './property-counts.ts';

interface Place {
  readonly node: Node;
  readonly group: string;
}

export class JobPresence {
  readonly #places = new Map<string, Place>();
  /** Node → group → allocations. */
  readonly #byNode = new Map<string, Map<string, number>>();
  /** Group (empty: all groups) and property → counts. */
  readonly #counts = new Map<string, PropertyCounts>();

  add(allocation: Pick<Allocation, 'ID' | 'TaskGroup'>, node: Node): void {
    const place = { node, group: allocation.TaskGroup };
    if (this.#places.has(allocation.ID)) return;
    this.#places.set(allocation.ID, place);
    this.#change(place, 1);
  }

  remove(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.delete(id);
    this.#change(place, -1);
  }

  #change(place: Place, by: 1 | -1): void {
    const groups = this.#byNode.get(place.node.ID) ?? new Map<string, number>();
    groups.set(place.group, (groups.get(place.group) ?? 0) + by);
    this.#byNode.set(place.node.ID, groups);
    for (const [key, counts] of this.#counts) {
      if (concerns(key, place.group)) counts.change(place.node, by);
    }
  }

  /** Allocations of the group on the node. */
  ofGroup(nodeId: string, group: string): number {
    return this.#byNode.get(nodeId)?.get(group) ?? 0;
  }

  /** Allocations of the job on the node. */
  ofJob(nodeId: string): number {
    let sum = 0;
    for (const count of this.#byNode.get(nodeId)?.values() ?? []) sum += count;
    return sum;
  }

  /** Allocations of the group on all nodes. */
  ofGroupAnywhere(group: string): number {
    let sum = 0;
    for (const place of this.#places.values()) if (place.group === group) sum++;
    return sum;
  }

  /** Kept up to date from then on. `group` empty: the whole job. */
  counts(group: string, property: string): PropertyCounts {
    const key = `${group}\u0000${property}`;
    const found = this.#counts.get(key);
    if (found !== undefined) return found;
    const counts = new PropertyCounts(property);
    for (const place of this.#places.values()) if (concerns(key, place.group)) counts.change(place.node, 1);
    this.#counts.set(key, counts);
    return counts;
  }
}

function concerns(key: string, group: string): boolean {
  const scope = key.slice(0, key.indexOf('\u0000'));
  return scope === '' || scope === group;
}
