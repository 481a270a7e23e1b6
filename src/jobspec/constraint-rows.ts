import type { Attribute } from '../hcl/index.ts';
import type { Noun } from '../model/schema.ts';
import { affinityShorthands, constraintShorthands } from './body-schema.ts';

/** Reads one attribute as text, bool or number; undefined where it is absent or wrong (then the problem is reported). */
export type ReadAttribute = (attribute: Attribute | undefined, kind: 'string' | 'bool' | 'float') => unknown;

export const isConstraintLike = (noun: Noun): boolean => noun.name === 'Constraint' || noun.name === 'Affinity';

/** `version = ">= 1"` and its like set operator and value in one; the last shorthand wins. */
export function constraintRow(
  noun: Noun,
  attributes: ReadonlyMap<string, Attribute>,
  read: ReadAttribute,
): { [key: string]: unknown } {
  const text = (name: string) => (read(attributes.get(name), 'string') as string | undefined) ?? '';
  const row = { LTarget: text('attribute'), RTarget: text('value'), Operand: text('operator') };
  const affinity = noun.name === 'Affinity';
  for (const name of affinity ? affinityShorthands : constraintShorthands) {
    const attribute = attributes.get(name);
    if (attribute === undefined) continue;
    const value = name === 'distinct_hosts' ? read(attribute, 'bool') : read(attribute, 'string');
    if (value === undefined || value === '') continue;
    row.Operand = name;
    if (name === 'distinct_property') row.LTarget = String(value);
    else row.RTarget = String(value);
  }
  if (row.Operand === '') row.Operand = '=';
  return affinity ? { ...row, Weight: weight(attributes.get('weight'), read) } : row;
}

/** A weight loses its fraction and wraps around beyond a signed byte, as job files in use may rely on. */
function weight(attribute: Attribute | undefined, read: ReadAttribute): number | null {
  const value = read(attribute, 'float');
  return typeof value === 'number' ? (value << 24) >> 24 : null;
}
