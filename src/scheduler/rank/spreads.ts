import type { Spread } from '../../model/constraint.ts';
import type { Job } from '../../model/job.ts';
import type { Node } from '../../model/node.ts';
import type { TaskGroup } from '../../model/task-group.ts';
import type { PropertyCounts } from '../property-counts.ts';

export interface SpreadRule {
  readonly counts: PropertyCounts;
  /** Of the sum of all weights. */
  readonly share: number;
  /** Value → allocations wanted there; `*`: each other value. Empty: as even as can be. */
  readonly wanted: ReadonlyMap<string, number>;
}

export function spreadsOf(job: Job, group: TaskGroup): readonly Spread[] {
  return [...(group.Spreads ?? []), ...(job.Spreads ?? [])];
}

export function spreadRules(
  spreads: readonly Spread[],
  group: TaskGroup,
  countsOf: (property: string) => PropertyCounts,
): readonly SpreadRule[] {
  const weights = spreads.reduce((sum, spread) => sum + spread.Weight, 0);
  return spreads.map((spread) => ({
    counts: countsOf(spread.Attribute),
    share: weights === 0 ? 0 : spread.Weight / weights,
    wanted: wantedCounts(spread, group.Count),
  }));
}

function wantedCounts({ SpreadTarget }: Spread, count: number): ReadonlyMap<string, number> {
  const wanted = new Map((SpreadTarget ?? []).map(({ Value, Percent }) => [Value, (Percent / 100) * count]));
  const sum = [...wanted.values()].reduce((total, each) => total + each, 0);
  if (wanted.size > 0 && sum < count) wanted.set('*', count - sum);
  return wanted;
}

/** Positive: the node's value has fewer allocations than it should. */
export function spreadScore(rules: readonly SpreadRule[], node: Node): number {
  return rules.reduce((total, rule) => total + ruleScore(rule, node), 0);
}

function ruleScore({ counts, share, wanted }: SpreadRule, node: Node): number {
  const value = counts.valueOf(node);
  if (value === undefined) return -1;
  if (wanted.size === 0) return evenScore(counts, value);
  const target = wanted.get(value) ?? wanted.get('*');
  if (target === undefined || target === 0) return -1;
  return ((target - (counts.count(value) + 1)) / target) * share;
}

function evenScore(counts: PropertyCounts, value: string): number {
  const { least, most } = counts.range();
  if (most === 0) return 0;
  const here = counts.count(value);
  if (here === 0) return 1;
  if (here > least) return (least - here) / least;
  return least === most ? -1 : (most - least) / least;
}
