/** Why a group could not be placed, one line a reason, in the words that Nomad's users know. */
import { sortedEntries } from '../lib/order.ts';
import type { AllocationMetric } from '../model/allocation-metric.ts';

export function placementFailures(metric: AllocationMetric, indent: string): string[] {
  const lines: string[] = [];
  const say = (text: string): number => lines.push(`${indent}* ${text}`);
  if (metric.NodesEvaluated === 0) say('No nodes were eligible for evaluation');
  for (const [datacenter, count] of sortedEntries(metric.NodesAvailable)) {
    if (count === 0) say(`No nodes are available in datacenter "${datacenter}"`);
  }
  for (const [nodeClass, count] of sortedEntries(metric.ClassFiltered))
    say(`Class "${nodeClass}": ${count} nodes excluded by filter`);
  for (const [constraint, count] of sortedEntries(metric.ConstraintFiltered))
    say(`Constraint "${constraint}": ${count} nodes excluded by filter`);
  if (metric.NodesExhausted > 0) say(`Resources exhausted on ${metric.NodesExhausted} nodes`);
  for (const [nodeClass, count] of sortedEntries(metric.ClassExhausted))
    say(`Class "${nodeClass}" exhausted on ${count} nodes`);
  for (const [dimension, count] of sortedEntries(metric.DimensionExhausted))
    say(`Dimension "${dimension}" exhausted on ${count} nodes`);
  for (const quota of metric.QuotaExhausted ?? []) say(`Quota limit hit "${quota}"`);
  return lines;
}
