import { LimitError, maxValueSize } from './limits.ts';
import { bitLength, compare, fromInteger, type HclNumber } from './number.ts';
import { generalText } from './number-text.ts';
import { compareText, isSorted } from './order.ts';
import {
  boolType,
  dynamicType,
  listType,
  mapType,
  numberType,
  objectType,
  setType,
  stringType,
  type Type,
  tupleType,
  typesEqual,
  typeType,
} from './type.ts';

/** What a known value holds, by its type: an object and a map hold a `Map`, list, set and tuple an array. */
export type Payload = string | boolean | HclNumber | readonly Value[] | ReadonlyMap<string, Value> | Type | undefined;

/**
 * An immutable value with its type: known, `null`, or not known (because of an error, or because it is decided
 * later). `size` counts its elements and guards against values that would fill the memory.
 */
export interface Value {
  readonly type: Type;
  readonly state: 'known' | 'null' | 'unknown';
  readonly data: Payload;
  readonly size: number;
}

const known = (type: Type, data: Payload, size: number): Value => ({ type, state: 'known', data, size });

export const dynamicUnknown: Value = { type: dynamicType, state: 'unknown', data: undefined, size: 1 };
export const nullDynamic: Value = { type: dynamicType, state: 'null', data: undefined, size: 1 };
export const trueValue: Value = known(boolType, true, 1);
export const falseValue: Value = known(boolType, false, 1);

export const unknownValue = (type: Type): Value =>
  type.kind === 'dynamic' ? dynamicUnknown : { type, state: 'unknown', data: undefined, size: 1 };
export const nullValue = (type: Type): Value =>
  type.kind === 'dynamic' ? nullDynamic : { type, state: 'null', data: undefined, size: 1 };
export const boolValue = (value: boolean): Value => (value ? trueValue : falseValue);
export const numberValue = (value: HclNumber): Value => known(numberType, value, 1);
export const integerValue = (value: number | bigint): Value => numberValue(fromInteger(value));
export const typeValue = (type: Type): Value => known(typeType, type, 1);

const beyondAscii = /[^\0-\x7f]/;

/** Strings are kept in Unicode normal form C. */
export const normalized = (text: string): string => (beyondAscii.test(text) ? text.normalize('NFC') : text);

export function stringValue(text: string): Value {
  return known(stringType, normalized(text), limited(1 + (text.length >> 4)));
}

function limited(size: number): number {
  if (size > maxValueSize) throw new LimitError(`a value of more than ${maxValueSize} elements`);
  return size;
}

function sizeOf(values: Iterable<Value>): number {
  let size = 1;
  for (const value of values) size += value.size;
  return limited(size);
}

export function tupleValue(items: readonly Value[]): Value {
  return known(tupleType(items.map((item) => item.type)), items, sizeOf(items));
}

/** All items have the type `element` already. */
export function listValue(items: readonly Value[], element: Type): Value {
  return known(listType(element), items, sizeOf(items));
}

function sortedMap(entries: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  const keys = [...entries.keys()];
  if (isSorted(keys)) return entries;
  return new Map(keys.sort(compareText).map((key) => [key, entries.get(key)!]));
}

/** Keys in any order. */
export function objectValue(entries: ReadonlyMap<string, Value>): Value {
  const sorted = sortedMap(entries);
  const types = new Map<string, Type>();
  for (const [name, value] of sorted) types.set(name, value.type);
  return known(objectType(types), sorted, sizeOf(sorted.values()));
}

/** All items have the type `element` already; keys in any order. */
export function mapValue(entries: ReadonlyMap<string, Value>, element: Type): Value {
  const sorted = sortedMap(entries);
  return known(mapType(element), sorted, sizeOf(sorted.values()));
}

/** Equal items are kept once; the order is that of `compareInSet`. All items have the type `element` already. */
export function setValue(items: readonly Value[], element: Type): Value {
  const keyed = items.map((item) => ({ item, ...(isPlain(item) ? noKeys : setKeys(item)) }));
  keyed.sort((a, b) => compareInSet(a.item, b.item) || compareText(a.key, b.key) || compareText(a.exact, b.exact));
  const kept: Value[] = [];
  for (const { item } of keyed) {
    if (kept.length === 0 || !valuesEqual(kept[kept.length - 1]!, item)) kept.push(item);
  }
  return known(setType(element), kept, sizeOf(kept));
}

const isPlain = (value: Value): boolean =>
  value.state === 'known' &&
  (value.type.kind === 'string' || value.type.kind === 'number' || value.type.kind === 'bool');

/** The order in which a set gives its elements: numbers and strings ascending, null last. */
function compareInSet(a: Value, b: Value): number {
  if (a.state !== b.state) return stateRank(a) - stateRank(b);
  if (a.state !== 'known') return 0;
  if (typeof a.data === 'string') return compareText(a.data, b.data as string);
  if (typeof a.data === 'boolean') return Number(a.data) - Number(b.data);
  return a.type.kind === 'number' ? compare(a.data as HclNumber, b.data as HclNumber) : 0;
}

const stateRank = (value: Value): number => (value.state === 'known' ? 0 : value.state === 'null' ? 1 : 2);

const noKeys = { key: '', exact: '' };
const setKeys = (value: Value): typeof noKeys => ({ key: setKey(value, false), exact: setKey(value, true) });

/** A text that is the same for equal values; it also orders the elements of sets that are no primitives, numbers by ten digits. */
function setKey(value: Value, exact: boolean): string {
  if (value.state !== 'known') return value.state === 'null' ? '~' : '?';
  const { data, type } = value;
  if (typeof data === 'string') return JSON.stringify(data);
  if (typeof data === 'boolean') return data ? 'T' : 'F';
  if (data instanceof Map) {
    const entries = [...(data as ReadonlyMap<string, Value>)];
    if (type.kind === 'map')
      return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${setKey(item, exact)};`).join('')}}`;
    return `<${entries.map(([, item]) => `${setKey(item, exact)};`).join('')}>`;
  }
  if (Array.isArray(data)) {
    const inner = (data as readonly Value[]).map((item) => `${setKey(item, exact)};`).join('');
    return type.kind === 'tuple' ? `<${inner}>` : `[${inner}]`;
  }
  const number = data as HclNumber;
  if (!exact) return generalText(number, 10, 'e');
  return `${number.negative ? '-' : ''}${number.mantissa}e${number.exponent}`;
}

/** The same text for equal values, and for hardly any others: what is looked up by it takes no time with the square of their count. */
export function equalityKey(value: Value): string {
  if (value.state !== 'known' || value.type.kind !== 'number') return setKey(value, false);
  const { negative, mantissa, exponent, infinite } = value.data as HclNumber;
  if (infinite || mantissa === 0n) return infinite ? `${negative}inf` : '0';
  const zeros = bitLength(mantissa & -mantissa) - 1;
  return `${negative}${(mantissa >> BigInt(zeros)).toString(36)}e${exponent + zeros}`;
}

/** Equal in type and content; values that are not known are equal when their types are. */
export function valuesEqual(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a.state !== b.state || a.size !== b.size || !typesEqual(a.type, b.type)) return false;
  if (a.state !== 'known') return true;
  if (a.type.kind === 'number') return compare(a.data as HclNumber, b.data as HclNumber) === 0;
  if (a.data instanceof Map) {
    const other = b.data as ReadonlyMap<string, Value>;
    if (a.data.size !== other.size) return false;
    for (const [key, item] of a.data as ReadonlyMap<string, Value>) {
      const match = other.get(key);
      if (match === undefined || !valuesEqual(item, match)) return false;
    }
    return true;
  }
  if (Array.isArray(a.data)) {
    const other = b.data as readonly Value[];
    return a.data.length === other.length && a.data.every((item: Value, i) => valuesEqual(item, other[i]!));
  }
  return a.type.kind === 'type' ? typesEqual(a.data as Type, b.data as Type) : a.data === b.data;
}

export const isKnown = (value: Value): boolean => value.state === 'known';
export const isNull = (value: Value): boolean => value.state === 'null';

/** True when neither the value nor any part of it is unknown. */
export function isWhollyKnown(value: Value): boolean {
  if (value.state !== 'known') return value.state === 'null';
  if (value.data instanceof Map) return [...(value.data as ReadonlyMap<string, Value>).values()].every(isWhollyKnown);
  return !Array.isArray(value.data) || (value.data as readonly Value[]).every(isWhollyKnown);
}

/** Text of a known string. */
export const asString = (value: Value): string => value.data as string;
/** Number of a known number. */
export const asNumber = (value: Value): HclNumber => value.data as HclNumber;
/** Items of a known list, set or tuple, in order. */
export const asItems = (value: Value): readonly Value[] => value.data as readonly Value[];
/** Entries of a known object or map, sorted by key. */
export const asEntries = (value: Value): ReadonlyMap<string, Value> => value.data as ReadonlyMap<string, Value>;

export const isSequence = (type: Type): boolean => type.kind === 'list' || type.kind === 'set' || type.kind === 'tuple';
export const isMapping = (type: Type): boolean => type.kind === 'map' || type.kind === 'object';
/** True for values that `for` can go through: collections, known and not null. */
export const canIterate = (value: Value): boolean =>
  value.state === 'known' && (isSequence(value.type) || isMapping(value.type));

/** Key and value of each element; the key of a set's element is the element. */
export function elements(value: Value): [Value, Value][] {
  if (isMapping(value.type)) return [...asEntries(value)].map(([key, item]) => [stringValue(key), item]);
  if (value.type.kind === 'set') return asItems(value).map((item) => [item, item]);
  return asItems(value).map((item, i) => [integerValue(i), item]);
}
