import { convert } from './convert.ts';
import { type Diagnostic, errorAt } from './diagnostic.ts';
import { compare, fromInteger, isInteger, sign, truncate } from './number.ts';
import type { SourceRange } from './source.ts';
import { suggestion } from './suggest.ts';
import type { TraversalStep } from './syntax.ts';
import { numberType, stringType, typeName } from './type.ts';
import { asEntries, asItems, asNumber, asString, dynamicUnknown, unknownValue, type Value } from './value.ts';

/** A part of a value, or why there is none. */
export type Part = { readonly value: Value; readonly problem?: undefined } | { readonly problem: Diagnostic };

const found = (value: Value): Part => ({ value });

/** `value.name` or `value[key]`. */
export function step(value: Value, traversal: TraversalStep): Part {
  return traversal.kind === 'attribute'
    ? attributeOf(value, traversal.name, traversal.range)
    : indexOf(value, traversal.key, traversal.range);
}

/** The attribute of an object or the element of a map. */
export function attributeOf(value: Value, name: string, range: SourceRange): Part {
  const fail = (summary: string, detail: string): Part => ({ problem: errorAt(range, summary, detail) });
  if (value.state === 'null')
    return fail('Attempt to get attribute from null value', 'this value is null, so it has no attributes');
  const { type } = value;
  const quoted = JSON.stringify(name);
  switch (type.kind) {
    case 'dynamic':
      return found(dynamicUnknown);
    case 'object': {
      const own = type.attributes.get(name);
      if (own === undefined) {
        const detail = `this object has no attribute ${quoted}.${suggestion(name, type.attributes.keys())}`;
        return fail('Unsupported attribute', detail);
      }
      return found(value.state === 'known' ? asEntries(value).get(name)! : unknownValue(own));
    }
    case 'map': {
      if (value.state !== 'known') return found(unknownValue(type.element));
      const item = asEntries(value).get(name);
      if (item !== undefined) return found(item);
      return fail(
        'Missing map element',
        `this map has no element ${quoted}.${suggestion(name, asEntries(value).keys())}`,
      );
    }
    case 'list':
    case 'set':
    case 'tuple':
      return fail(
        'Unsupported attribute',
        `a ${type.kind} has no attributes; for one of its elements write [0].${name}, for all [*].${name}`,
      );
    default:
      return fail('Unsupported attribute', `a ${typeName(type)} has no attributes`);
  }
}

/** The element of a list, tuple, map or object. */
export function indexOf(value: Value, key: Value, range: SourceRange): Part {
  const fail = (detail: string): Part => ({ problem: errorAt(range, 'Invalid index', detail) });
  if (value.state === 'null') {
    return { problem: errorAt(range, 'Attempt to index null value', 'this value is null, so it has no elements') };
  }
  if (key.state === 'null') return fail('null cannot be used as a key');
  const { type } = value;
  if (type.kind === 'dynamic' || key.type.kind === 'dynamic') return found(dynamicUnknown);
  if (type.kind === 'list' || type.kind === 'tuple') return elementAt(value, key, range);
  if (type.kind !== 'map' && type.kind !== 'object') {
    const reason =
      type.kind === 'set'
        ? 'the elements of a set have no key; use a for expression, or sort it'
        : `a ${typeName(type)} has no elements`;
    return fail(reason);
  }
  const name = convert(key, stringType);
  if (name.error !== undefined) return fail(`the key cannot be used: ${name.error}`);
  if (value.state !== 'known' || name.value.state !== 'known') {
    return found(type.kind === 'map' ? unknownValue(type.element) : dynamicUnknown);
  }
  const entries = asEntries(value);
  const item = entries.get(asString(name.value));
  if (item !== undefined) return found(item);
  return fail(
    `there is no element ${JSON.stringify(name.value.data)} in this ${type.kind}.${suggestion(asString(name.value), entries.keys())}`,
  );
}

function elementAt(value: Value, key: Value, range: SourceRange): Part {
  const fail = (detail: string): Part => ({ problem: errorAt(range, 'Invalid index', detail) });
  const number = convert(key, numberType);
  if (number.error !== undefined) return fail(`the key cannot be used: ${number.error}`);
  const { type } = value;
  if ((value.state !== 'known' && type.kind !== 'tuple') || number.value.state !== 'known') {
    return found(type.kind === 'list' ? unknownValue(type.element) : dynamicUnknown);
  }
  const items =
    value.state === 'known' || type.kind !== 'tuple' ? asItems(value) : type.elements.map((own) => unknownValue(own));
  const position = asNumber(number.value);
  if (!isInteger(position)) return fail('a position must be a whole number');
  if (sign(position) < 0) return fail('a position is counted from 0 and cannot be negative');
  if (compare(position, fromInteger(items.length)) >= 0) {
    return fail(
      items.length === 0
        ? 'this list has no elements'
        : `this list has ${items.length} elements, so the last one is [${items.length - 1}]`,
    );
  }
  return found(items[Number(truncate(position))]!);
}
