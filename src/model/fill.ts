import { type Field, type FieldTable, type Infer, type Input, type Noun, zeroOf } from './schema.ts';

/**
 * Fills what the input leaves open, by the table alone: `fallback`, else the kind's zero; rows that only callers send go, empty
 * rows marked `omitted` go. Defaults that need to know their surroundings are put into the input before. Idempotent.
 */
export function fill<F extends FieldTable>(noun: Noun<F>, input: Input<Infer<Noun<F>>>): Infer<Noun<F>> {
  return fillObject(noun, input as { readonly [key: string]: unknown }) as Infer<Noun<F>>;
}

function fillObject(noun: Noun, input: { readonly [key: string]: unknown }): { [key: string]: unknown } {
  const result: { [key: string]: unknown } = {};
  for (const name in noun.fields) {
    const field = noun.fields[name]!;
    if (field.only === 'input') continue;
    const value = fillValue(field, Object.hasOwn(input, name) ? input[name] : undefined);
    if (field.omitted && isEmpty(value)) continue;
    result[name] = value;
  }
  return result;
}

function fillValue(field: Field<unknown>, given: unknown): unknown {
  const value = given ?? undefined;
  if (value === undefined) return emptyValue(field);
  // A text that is written but empty asks for the default too, as it does in Go where empty and absent are one.
  if (value === '' && !field.optional && field.fallback !== undefined) return field.fallback;
  if (value === 0 && !field.optional && typeof field.fallback === 'number') return field.fallback;
  switch (field.kind) {
    case 'object':
      return fillObject(field.noun!, value as { readonly [key: string]: unknown });
    case 'list': {
      const items = value as readonly unknown[];
      if (items.length === 0 && field.nullable && field.emptyIsNull) return null;
      return field.item!.kind === 'object' ? items.map((item) => fillValue(field.item!, item)) : items;
    }
    case 'map': {
      const entries = Object.entries(value as { readonly [key: string]: unknown });
      if (entries.length === 0 && field.nullable && field.emptyIsNull) return null;
      if (field.item!.kind !== 'object') return value;
      return Object.fromEntries(entries.map(([key, item]) => [key, fillValue(field.item!, item)]));
    }
    default:
      return value;
  }
}

/** The canonical value of a row without input. */
function emptyValue(field: Field<unknown>): unknown {
  if (field.fallback !== undefined) return field.fallback;
  if (field.nullable) return null;
  switch (field.kind) {
    case 'time':
      return '0001-01-01T00:00:00Z';
    case 'list':
      return [];
    case 'map':
      return {};
    case 'object':
      return fillObject(field.noun!, {});
    case 'any':
      return null;
    default:
      return zeroOf(field.kind);
  }
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === 0 || value === false) return true;
  return Array.isArray(value) && value.length === 0;
}

/** Two blocks of the same kind: what `over` says wins, what it does not say comes from `under`. */
export function merge<T extends object>(
  under: Input<T> | null | undefined,
  over: Input<T> | null | undefined,
): Input<T> | undefined {
  if (under == null) return over ?? undefined;
  return { ...under, ...withoutNulls(over) } as Input<T>;
}

/** Without the keys that are null, so that a spread keeps what is under them. */
export function withoutNulls<T extends object>(block: T | null | undefined): T {
  return Object.fromEntries(Object.entries(block ?? {}).filter(([, value]) => value != null)) as T;
}

export function emptyListToNull<T>(items: readonly T[] | null | undefined): readonly T[] | null {
  return items?.length ? items : null;
}

export function emptyMapToNull<T extends object>(map: T | null | undefined): T | null {
  return map && Object.keys(map).length > 0 ? map : null;
}
