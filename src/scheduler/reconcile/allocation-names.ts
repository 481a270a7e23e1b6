import type { Allocation } from '../../model/allocation.ts';

/** `web.api[3]`. */
export function allocationName(job: string, group: string, index: number): string {
  return `${job}.${group}[${index}]`;
}

/** `web.api[3]` → 3; -1: the name has no index. */
function indexOfName(name: string): number {
  const match = /\[(\d+)\]$/.exec(name);
  return match === null ? -1 : Number(match[1]);
}

/** The names of a group: which are in use, which come next, which go first. */
export class AllocationNames {
  readonly #job: string;
  readonly #group: string;
  readonly #used = new Set<number>();

  constructor(job: string, group: string, allocations: Iterable<Allocation>) {
    this.#job = job;
    this.#group = group;
    for (const { Name } of allocations) this.#used.add(indexOfName(Name));
  }

  /** The name itself, or, where another allocation has it by now, the next free one. */
  take(name: string): string {
    const index = indexOfName(name);
    if (this.#used.has(index)) return this.next(1)[0]!;
    this.#used.add(index);
    return name;
  }

  /** The lowest free ones; they are in use from then on. */
  next(count: number): readonly string[] {
    const names: string[] = [];
    for (let index = 0; names.length < count; index++) {
      if (this.#used.has(index)) continue;
      this.#used.add(index);
      names.push(allocationName(this.#job, this.#group, index));
    }
    return names;
  }
}

/** The allocations with the highest indexes, at most so many, first of all those whose name another one has too. */
export function highest(allocations: Iterable<Allocation>, count: number): readonly Allocation[] {
  const seen = new Set<string>();
  const doubles: Allocation[] = [];
  const rest: Allocation[] = [];
  // Of several with one name the oldest stays.
  for (const allocation of [...allocations].sort((a, b) => a.CreateIndex - b.CreateIndex)) {
    (seen.has(allocation.Name) ? doubles : rest).push(allocation);
    seen.add(allocation.Name);
  }
  rest.sort((a, b) => indexOfName(b.Name) - indexOfName(a.Name));
  return [...doubles, ...rest].slice(0, Math.max(0, count));
}
