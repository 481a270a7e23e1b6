/** Why an allocation is where it is, or nowhere: what `alloc status -verbose` and failed placements show. */
import type { AllocationMetric, NodeScoreMeta } from '../model/allocation-metric.ts';
import type { Resources } from '../model/resources.ts';
import type { TaskGroup } from '../model/task-group.ts';
import type { FilterCounts } from './feasible/feasibility.ts';
import type { NodeSet } from './node-set.ts';

type Counter = Map<string, number> | undefined;

/** What one walk over the nodes met, beside what was filtered before it. */
export class Findings {
  filtered = 0;
  exhausted = 0;
  filteredBy: Counter;
  filteredClasses: Counter;
  exhaustedBy: Counter;
  exhaustedClasses: Counter;

  filter(nodeClass: string, reasons: readonly string[]): void {
    this.filtered++;
    this.filteredClasses = count(this.filteredClasses, [nodeClass]);
    this.filteredBy = count(this.filteredBy, reasons);
  }

  exhaust(nodeClass: string, dimensions: readonly string[]): void {
    this.exhausted++;
    this.exhaustedClasses = count(this.exhaustedClasses, [nodeClass]);
    this.exhaustedBy = count(this.exhaustedBy, dimensions);
  }
}

function count(counts: Counter, keys: readonly string[]): Counter {
  const result: Map<string, number> = counts ?? new Map();
  for (const key of keys) if (key !== '') result.set(key, (result.get(key) ?? 0) + 1);
  return result;
}

/**
 * Unlike Nomad: every node is counted, with every reason; Nomad stops at the first reason, and looks at no more nodes than it needs.
 * `AllocationTime` is 0: this code has no clock.
 */
export function metricOf(
  pool: string,
  set: NodeSet,
  before: FilterCounts,
  found: Findings,
  scores: readonly NodeScoreMeta[] | null,
): AllocationMetric {
  return {
    NodesEvaluated: set.nodes.length,
    NodesFiltered: before.nodes + found.filtered,
    NodesInPool: set.nodes.length,
    NodePool: pool,
    NodesAvailable: set.available,
    ClassFiltered: merged(before.byClass, found.filteredClasses),
    ConstraintFiltered: merged(before.byReason, found.filteredBy),
    NodesExhausted: found.exhausted,
    ClassExhausted: merged(found.exhaustedClasses),
    DimensionExhausted: merged(found.exhaustedBy),
    QuotaExhausted: null,
    ResourcesExhausted: null,
    Scores: null,
    AllocationTime: 0,
    CoalescedFailures: 0,
    ScoreMetaData: scores,
  };
}

function merged(...parts: readonly (ReadonlyMap<string, number> | undefined)[]): Counts {
  let total: { [key: string]: number } | null = null;
  for (const part of parts) {
    for (const [key, value] of part ?? []) {
      total ??= {};
      total[key] = (total[key] ?? 0) + value;
    }
  }
  return total;
}

type Counts = { readonly [key: string]: number } | null;

export function addCounts(a: Counts, b: Counts): Counts {
  return merged(new Map(Object.entries(a ?? {})), new Map(Object.entries(b ?? {})));
}

const noResources: Resources = {
  CPU: 0,
  Cores: 0,
  MemoryMB: 0,
  MemoryMaxMB: 0,
  DiskMB: 0,
  Networks: null,
  Devices: null,
  NUMA: null,
  SecretsMB: 0,
  IOPS: 0,
};

/** One more placement of the group failed on exhausted nodes: what its tasks asked for in vain, summed up. */
export function withExhausted(metric: AllocationMetric, group: TaskGroup): AllocationMetric {
  const { DimensionExhausted: dimensions } = metric;
  if (dimensions === null) return metric;
  const total: { [task: string]: Resources } = { ...metric.ResourcesExhausted };
  for (const { Name, Resources: wanted } of group.Tasks) {
    const sum = total[Name] ?? noResources;
    total[Name] = {
      ...sum,
      CPU: sum.CPU + (dimensions['cpu'] ? wanted.CPU : 0),
      MemoryMB: sum.MemoryMB + (dimensions['memory'] ? wanted.MemoryMB : 0),
    };
  }
  return { ...metric, ResourcesExhausted: total };
}
