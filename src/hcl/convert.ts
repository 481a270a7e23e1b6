import { canConvert, dynamicReplace, mismatch, unifyTypes } from './conversion-rules.ts';
import { LimitError } from './limits.ts';
import { parseNumber } from './number-parse.ts';
import { numberText } from './number-text.ts';
import { boolType, isPrimitive, stringType, type Type, typesEqual, withoutOptional } from './type.ts';
import {
  asEntries,
  asItems,
  asNumber,
  asString,
  boolValue,
  listValue,
  mapValue,
  nullValue,
  numberValue,
  objectValue,
  setValue,
  stringValue,
  tupleValue,
  unknownValue,
  type Value,
} from './value.ts';

/** A value that a conversion gave, or in words why there is none. */
export type Conversion = { readonly value: Value; readonly error?: undefined } | { readonly error: string };

const fail = (error: string): Conversion => ({ error });

/** Inner exception of this file: a deep part could not be converted. */
class ConversionError extends Error {}

/** The value in another type: numbers and bools to strings and back, tuples to lists, objects to maps, and so on. */
export function convert(value: Value, type: Type): Conversion {
  try {
    return { value: convertValue(value, type) };
  } catch (error) {
    if (error instanceof ConversionError) return fail(error.message);
    if (error instanceof LimitError) return fail(`the result is ${error.message}`);
    throw error;
  }
}

function convertValue(value: Value, type: Type): Value {
  if (typesEqual(value.type, type)) return value;
  if (type.kind === 'dynamic') return value;
  if (!canConvert(value.type, type, true)) throw new ConversionError(mismatch(value.type, type));
  if (value.state !== 'known') {
    const replaced = dynamicReplace(value.type, withoutOptional(type));
    return value.state === 'null' ? nullValue(replaced) : unknownValue(replaced);
  }
  if (isPrimitive(type)) return convertPrimitive(value, type);
  switch (type.kind) {
    case 'list':
    case 'set':
      return convertSequence(value, type.kind, type.element);
    case 'map':
      return convertToMap(value, type.element);
    case 'object':
      return convertToObject(value, type);
    case 'tuple':
      return tupleValue(asItems(value).map((item, i) => convertValue(item, type.elements[i]!)));
    default:
      throw new ConversionError(mismatch(value.type, type));
  }
}

function convertPrimitive(value: Value, type: Type): Value {
  if (type === stringType || type.kind === 'string') {
    return stringValue(value.type.kind === 'number' ? numberText(asNumber(value)) : String(value.data));
  }
  const text = asString(value);
  if (type === boolType || type.kind === 'bool') {
    if (text === 'true' || text === '1') return boolValue(true);
    if (text === 'false' || text === '0') return boolValue(false);
    const lower = text.toLowerCase();
    const hint = lower === 'true' || lower === 'false' ? `, written in lower case: "${lower}"` : '';
    throw new ConversionError(`a bool is required${hint}`);
  }
  const number = parseNumber(text);
  if (number === undefined) throw new ConversionError('a number is required');
  return numberValue(number);
}

/** Brings the items to one type where the wanted one left parts of it open. */
function unified(items: readonly Value[]): readonly Value[] {
  const first = items[0]!.type;
  if (items.every((item) => typesEqual(item.type, first))) return items;
  const element = unifyTypes(items.map((item) => item.type));
  if (element === undefined) throw new ConversionError('the elements have no common type');
  return items.map((item) => convertValue(item, element));
}

function convertSequence(value: Value, kind: 'list' | 'set', wanted: Type): Value {
  const items = asItems(value);
  if (items.length === 0) {
    const own = 'element' in value.type ? value.type.element : wanted;
    const element = withoutOptional(wanted.kind === 'dynamic' ? own : wanted);
    return kind === 'list' ? listValue([], element) : setValue([], element);
  }
  let target = wanted;
  if (target.kind === 'dynamic' && value.type.kind === 'tuple') target = unifyTypes(value.type.elements) ?? target;
  const converted = items.map((item) => convertValue(item, target));
  // Only a list made of a tuple brings together what the wanted type left open.
  const made = kind === 'list' && value.type.kind === 'tuple' ? unified(converted) : converted;
  // what they have in common may leave a part open, in which they still differ
  const element = onlyType(made);
  const typed = made.map((item) => (item.type.kind === 'dynamic' ? convertValue(item, element) : item));
  return kind === 'list' ? listValue(typed, element) : setValue(typed, element);
}

function convertToMap(value: Value, wanted: Type): Value {
  const entries = asEntries(value);
  if (entries.size === 0) {
    const own = 'element' in value.type ? value.type.element : wanted;
    return mapValue(new Map(), withoutOptional(wanted.kind === 'dynamic' ? own : wanted));
  }
  let target = wanted;
  if (target.kind === 'dynamic' && value.type.kind === 'object') {
    target = unifyTypes([...value.type.attributes.values()]) ?? target;
  }
  const keys = [...entries.keys()];
  const converted = [...entries.values()].map((item) => convertValue(item, target));
  const made = target.kind === 'object' || 'element' in target ? unified(converted) : converted;
  const element = onlyType(made);
  const items = made.map((item) => (item.type.kind === 'dynamic' ? convertValue(item, element) : item));
  return mapValue(new Map(keys.map((key, i) => [key, items[i]!])), element);
}

/** The one type of the items that have any: a null without a type takes it on. */
function onlyType(items: readonly Value[]): Type {
  const typed = items.map((item) => item.type).filter((type) => type.kind !== 'dynamic');
  const first = typed[0] ?? items[0]!.type;
  if (!typed.every((type) => typesEqual(type, first))) throw new ConversionError('all elements must have one type');
  return first;
}

function convertToObject(value: Value, type: Extract<Type, { kind: 'object' }>): Value {
  const entries = asEntries(value);
  const result = new Map<string, Value>();
  for (const [name, wanted] of type.attributes) {
    const item = entries.get(name);
    if (item !== undefined) result.set(name, convertValue(item, wanted));
    else if (type.optional?.has(name)) result.set(name, nullValue(withoutOptional(wanted)));
    else throw new ConversionError(`attribute ${JSON.stringify(name)} is required`);
  }
  return objectValue(result);
}
