import type { Node } from '../model/node.ts';
import { resolveTarget } from './feasible/target.ts';

/** How many allocations of a job (or of one of its groups) are on nodes with each value of a property, the plan counted in. */
export class PropertyCounts {
  readonly property: string;
  readonly #counts = new Map<string, number>();

  constructor(property: string) {
    this.property = property;
  }

  valueOf(node: Node): string | undefined {
    return resolveTarget(this.property, node);
  }

  change(node: Node, by: 1 | -1): void {
    const value = this.valueOf(node);
    if (value === undefined) return;
    const count = (this.#counts.get(value) ?? 0) + by;
    if (count > 0) this.#counts.set(value, count);
    else this.#counts.delete(value);
  }

  count(value: string): number {
    return this.#counts.get(value) ?? 0;
  }

  /** Of the values that are in use at all. */
  range(): { readonly least: number; readonly most: number } {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (const count of this.#counts.values()) {
      least = Math.min(least, count);
      most = Math.max(most, count);
    }
    return { least: this.#counts.size === 0 ? 0 : least, most };
  }
}
