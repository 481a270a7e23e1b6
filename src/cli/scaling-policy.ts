/** What the commands about scaling policies share. */
import { sortedEntries } from '../lib/order.ts';
import type { ScalingPolicy } from '../model/scaling-policy.ts';
import { formatId } from './formats.ts';
import { formatTable } from './table.ts';

/** A row of the list: the policy without what it says. */
export type ScalingPolicyStub = Pick<ScalingPolicy, 'ID' | 'Enabled' | 'Type' | 'Target'>;

export function policyTable(policies: readonly ScalingPolicyStub[], verbose: boolean): string {
  if (policies.length === 0) return 'No policies found';
  const rows = policies.map(({ ID, Enabled, Type, Target }) => [
    ...[formatId(ID, verbose), Enabled, Type, formatTarget(Target)],
  ]);
  return formatTable([['ID', 'Enabled', 'Type', 'Target'], ...rows]);
}

const outerFirst = ['Namespace', 'Job', 'Group', 'Task'];

/** `Namespace:default,Job:web,Group:app` */
export function formatTarget(target: ScalingPolicy['Target']): string {
  const place = (key: string) => (outerFirst.indexOf(key) + outerFirst.length + 1) % (outerFirst.length + 1);
  const entries = sortedEntries(target).sort(([a], [b]) => place(a) - place(b));
  return entries.map(([key, value]) => `${key}:${value}`).join(',');
}
