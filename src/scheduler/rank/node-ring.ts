import type { Node } from '../../model/node.ts';

/**
 * The nodes of a set in a random order that is only made as far as it is looked at. Walks begin one after the other further on, so that
 * many placements do not all look at the same nodes; what they share of them was read already.
 */
export class NodeRing {
  readonly #nodes: readonly Node[];
  readonly #random: () => number;
  /** Positions whose node was swapped away; the others hold the node of the same position. */
  readonly #swapped = new Map<number, number>();
  #shuffled = 0;
  #next = 0;

  constructor(nodes: readonly Node[], random: () => number) {
    this.#nodes = nodes;
    this.#random = random;
  }

  /** Every node once; the next walk begins `advance` nodes further on. */
  *walk(advance: number): Iterable<Node> {
    const size = this.#nodes.length;
    const start = this.#next;
    if (size > 0) this.#next = (start + advance) % size;
    for (let step = 0; step < size; step++) yield this.#at((start + step) % size);
  }

  #at(position: number): Node {
    while (this.#shuffled <= position) {
      const other = this.#shuffled + Math.floor(this.#random() * (this.#nodes.length - this.#shuffled));
      const here = this.#swapped.get(this.#shuffled) ?? this.#shuffled;
      this.#swapped.set(this.#shuffled, this.#swapped.get(other) ?? other);
      this.#swapped.set(other, here);
      this.#shuffled++;
    }
    return this.#nodes[this.#swapped.get(position) ?? position]!;
  }
}
