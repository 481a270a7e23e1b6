import type { Node } from '../../model/node.ts';

/**
 * The nodes of a set in a random order that is only made as far as it is looked at. Each walk goes on where the last one stopped, so that
 * many placements look at different nodes.
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

  /** At most every node once. */
  *walk(): Iterable<Node> {
    for (let step = 0; step < this.#nodes.length; step++) {
      const position = this.#next;
      this.#next = (this.#next + 1) % this.#nodes.length;
      yield this.#at(position);
    }
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
