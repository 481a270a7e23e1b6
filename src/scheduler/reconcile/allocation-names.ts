import type { Allocation } from '../../model/allocation.ts';
import type { TaskGroup } from '../../model/task-group.ts';

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

/**
 * Names of further canaries: those of allocations that they are to replace, then free ones of the group, then ones beyond its count, so that
 * what is left over once they are promoted is what has a name twice.
 */
export function canaryNames(
  job: string,
  { Name: group, Count }: TaskGroup,
  there: readonly Allocation[],
  replaced: readonly Allocation[],
  count: number,
): readonly string[] {
  const used = new Set(there.map(({ Name }) => indexOfName(Name)));
  const preferred = replaced.map(({ Name }) => indexOfName(Name)).sort((a, b) => a - b);
  const within = Array.from({ length: Count }, (_, index) => index);
  const beyond = Array.from({ length: Math.max(0, count) + there.length }, (_, index) => Count + index);
  const free = new Set([...preferred, ...within, ...beyond].filter((index) => !used.has(index)));
  return [...free].slice(0, Math.max(0, count)).map((index) => allocationName(job, group, index));
}

/** Of several with one name all but the one of the newest version, and of those of one version all but the oldest. */
export function doubles(allocations: Iterable<Allocation>): readonly Allocation[] {
  const seen = new Set<string>();
  const byAge = [...allocations].sort((a, b) => b.JobVersion - a.JobVersion || a.CreateIndex - b.CreateIndex);
  return byAge.filter(({ Name }) => {
    const isDouble = seen.has(Name);
    seen.add(Name);
    return isDouble;
  });
}

/** The allocations with the highest indexes, at most so many. */
export function highest(allocations: Iterable<Allocation>, count: number): readonly Allocation[] {
  const sorted = [...allocations].sort((a, b) => indexOfName(b.Name) - indexOfName(a.Name));
  return sorted.slice(0, Math.max(0, count));
}
