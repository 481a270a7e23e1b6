import { unifyTypes } from '../conversion-rules.ts';
import { convert } from '../convert.ts';
import { add, compare, fromInteger, type HclNumber, sign } from '../number.ts';
import { compareText } from '../order.ts';
import { indexOf } from '../traverse.ts';
import { dynamicType, hasDynamic, listType, numberType, stringType, type Type, typesEqual } from '../type.ts';
import {
  asEntries,
  asItems,
  asNumber,
  asString,
  boolValue,
  dynamicUnknown,
  equalityKey,
  integerValue,
  isMapping,
  isSequence,
  listValue,
  mapValue,
  nullValue,
  numberValue,
  objectValue,
  stringValue,
  tupleValue,
  type Value,
  valuesEqual,
} from '../value.ts';
import { any, define, number, orNull, text, typed, variadic, wholeNumber } from './define.ts';
import { FunctionError, type HclFunction, wrongType } from './function.ts';

const list = (name: string): ReturnType<typeof typed> => typed(name, listType(dynamicType));
const elementOf = (value: Value): Type => (value.type as { element: Type }).element;

export function converted(value: Value, type: Type, argument?: number): Value {
  const result = convert(value, type);
  if (result.error !== undefined) throw new FunctionError(result.error, argument);
  return result.value;
}

function chunk(args: readonly Value[]): Value {
  const size = wholeNumber(args, 1, false);
  if (size < 0) throw new FunctionError('the size of a chunk cannot be negative');
  const items = asItems(args[0]!);
  const element = elementOf(args[0]!);
  const step = size === 0 ? Math.max(items.length, 1) : size;
  const chunks: Value[] = [];
  for (let i = 0; i < items.length; i += step) chunks.push(listValue(items.slice(i, i + step), element));
  return listValue(chunks, listType(element));
}

function coalesce(args: readonly Value[]): Value {
  const type = unifyTypes(args.map((arg) => arg.type));
  if (type === undefined) throw new FunctionError('the arguments must have a common type');
  for (const arg of args) if (arg.state !== 'null') return converted(arg, type);
  throw new FunctionError('all arguments are null');
}

function coalesceList(args: readonly Value[]): Value {
  if (args.length === 0) throw new FunctionError('at least one list is required');
  for (const { type } of args) {
    if (!isSequence(type) || type.kind === 'set') throw new FunctionError('lists and tuples are required');
  }
  for (const arg of args) {
    if (arg.state === 'known' && asItems(arg).length > 0) return arg;
  }
  throw new FunctionError('all lists are empty');
}

function compact(value: Value): Value {
  return listValue(
    asItems(value).filter((item) => item.state === 'known' && item.data !== ''),
    stringType,
  );
}

function concat(args: readonly Value[]): Value {
  const first = args[0];
  if (first === undefined) throw new FunctionError('at least one list is required');
  for (const [i, arg] of args.entries()) {
    if (!isSequence(arg.type) || arg.type.kind === 'set') throw wrongType(i, 'a list or tuple', arg);
  }
  const items = args.flatMap((arg) => [...asItems(arg)]);
  const lists = args.every((arg) => arg.type.kind === 'list');
  const element = lists ? unifyTypes(args.map(elementOf)) : undefined;
  if (element === undefined) return tupleValue(items);
  const all = items.map((item) => converted(item, element));
  if (!hasDynamic(element)) return listValue(all, element);
  // The first element that has a type gives its type to the list, and to nulls without one.
  const type = all.find((item) => item.type.kind !== 'dynamic')?.type ?? all[0]?.type ?? element;
  return listValue(
    all.map((item) => (item.type.kind === 'dynamic' ? converted(item, type) : item)),
    type,
  );
}

function contains(collection: Value, wanted: Value): Value {
  // A null of no type leaves the result open: so it is in Nomad.
  if (wanted.state === 'null' && wanted.type.kind === 'dynamic') return dynamicUnknown;
  if (!isSequence(collection.type)) throw new FunctionError('a list, tuple or set is required');
  return boolValue(asItems(collection).some((item) => valuesEqual(item, wanted)));
}

function distinct(value: Value): Value {
  const kept: Value[] = [];
  const seen = new Map<string, Value[]>();
  for (const item of asItems(value)) {
    const key = equalityKey(item);
    const group = seen.get(key);
    if (group?.some((other) => valuesEqual(other, item)) === true) continue;
    if (group === undefined) seen.set(key, [item]);
    else group.push(item);
    kept.push(item);
  }
  return listValue(kept, elementOf(value));
}

function element(args: readonly Value[]): Value {
  const [collection] = args;
  if (!isSequence(collection!.type) || collection!.type.kind === 'set')
    throw new FunctionError('a list or tuple is required');
  const position = wholeNumber(args, 1, false);
  const items = asItems(collection!);
  if (items.length === 0) throw new FunctionError('an empty list has no elements');
  // A negative position counts from the end.
  return items[((position % items.length) + items.length) % items.length]!;
}

function flatten(value: Value): Value {
  if (!isSequence(value.type)) throw new FunctionError('a list, tuple or set is required');
  const flat: Value[] = [];
  const take = (item: Value): void => {
    if (item.state === 'known' && isSequence(item.type)) asItems(item).forEach(take);
    else flat.push(item);
  };
  take(value);
  return tupleValue(flat);
}

function index(collection: Value, key: Value): Value {
  if (!isSequence(collection.type) && collection.type.kind !== 'map')
    throw new FunctionError('a list, a map or a tuple is required');
  const wanted = isSequence(collection.type) ? 'number' : 'string';
  if (key.type.kind !== wanted)
    throw new FunctionError(`a ${wanted} is required as the key of a ${collection.type.kind}`);
  // The place only matters for the problem, which is made anew here.
  const part = indexOf(collection, key, undefined as never);
  if (part.problem !== undefined) throw new FunctionError(part.problem.detail);
  return part.value;
}

function keys(value: Value): Value {
  if (!isMapping(value.type)) throw wrongType(0, 'a map or object', value);
  const names = [...asEntries(value).keys()].map(stringValue);
  return value.type.kind === 'map' ? listValue(names, stringType) : tupleValue(names);
}

function values(value: Value): Value {
  if (!isMapping(value.type)) throw new FunctionError('a map or object is required');
  const items = [...asEntries(value).values()];
  return value.type.kind === 'map' ? listValue(items, value.type.element) : tupleValue(items);
}

function length(value: Value): Value {
  if (isSequence(value.type)) return integerValue(asItems(value).length);
  if (value.type.kind === 'map') return integerValue(asEntries(value).size);
  throw new FunctionError(
    'a list, tuple, set or map is required; for an object write length(keys(x)), for a text strlen(x)',
  );
}

function lookup([collection, key, fallback]: readonly Value[]): Value {
  if (!isMapping(collection!.type)) throw wrongType(0, 'a map or object', collection!);
  const found = asEntries(collection!).get(asString(key!));
  if (collection!.type.kind === 'map') {
    const other = converted(fallback!, collection!.type.element, 2);
    return found ?? other;
  }
  return found ?? fallback!;
}

function merge(args: readonly Value[]): Value {
  const entries = new Map<string, Value>();
  let open = false;
  for (const arg of args) {
    // After a null of no type all is taken that could be gone through like a map: nulls, empty lists, sets of texts.
    open ||= arg.state === 'null' && arg.type.kind === 'dynamic';
    if (isMapping(arg.type)) {
      if (arg.state === 'known') for (const [key, value] of asEntries(arg)) entries.set(key, value);
    } else if (!open || (arg.state !== 'null' && !isSequence(arg.type))) {
      throw new FunctionError('maps and objects are required');
    } else if (arg.state === 'known') {
      for (const item of asItems(arg)) {
        if (arg.type.kind !== 'set' || item.type.kind !== 'string' || item.state !== 'known')
          throw new FunctionError('maps and objects are required');
        entries.set(asString(item), item);
      }
    }
  }
  const first = args[0]?.type;
  if (first?.kind === 'map' && args.every((arg) => typesEqual(arg.type, first))) {
    return args.every((arg) => arg.state === 'null') ? nullValue(first) : mapValue(entries, first.element);
  }
  return objectValue(entries);
}

function range(args: readonly Value[]): Value {
  if (args.length === 0 || args.length > 3) throw new FunctionError('one, two or three numbers are required');
  const given = args.map(asNumber);
  const zero = fromInteger(0);
  const [start, end] = given.length === 1 ? [zero, given[0]!] : [given[0]!, given[1]!];
  const step: HclNumber = given[2] ?? fromInteger(compare(end, start) < 0 ? -1 : 1);
  const down = sign(step) < 0;
  if (!down && compare(end, start) < 0)
    throw new FunctionError('the step must be negative when the end is below the start', 1);
  if (down && compare(end, start) > 0)
    throw new FunctionError('the step must be positive when the end is above the start', 1);
  const items: Value[] = [];
  for (let at = start; down ? compare(at, end) > 0 : compare(at, end) < 0; at = add(at, step)!) {
    if (items.length >= maxRange) throw new FunctionError(`at most ${maxRange} elements can be made`);
    items.push(numberValue(at));
  }
  return listValue(items, numberType);
}

const maxRange = 1024;

function slice(args: readonly Value[]): Value {
  const [value] = args;
  if (!isSequence(value!.type) || value!.type.kind === 'set') throw wrongType(0, 'a list or tuple', value!);
  const items = asItems(value!);
  const start = wholeNumber(args, 1);
  if (start < 0) throw new FunctionError('the start cannot be negative', 1);
  if (start > items.length) throw new FunctionError(`the start must be at most ${items.length}`, 1);
  const end = wholeNumber(args, 2);
  if (end < 0) throw new FunctionError('the end cannot be negative', 2);
  if (end > items.length) throw new FunctionError(`the end must be at most ${items.length}, the length of the list`, 2);
  if (start > end) throw new FunctionError('the start must not be after the end', 1);
  const part = items.slice(start, end);
  return value!.type.kind === 'list' ? listValue(part, value!.type.element) : tupleValue(part);
}

function sort(value: Value): Value {
  const items = [...asItems(value)];
  if (items.some((item) => item.state === 'null')) throw new FunctionError('a null cannot be sorted');
  items.sort((a, b) => compareText(asString(a), asString(b)));
  return listValue(items, stringType);
}

function zipmap([names, items]: readonly Value[]): Value {
  if (!isSequence(items!.type) || items!.type.kind === 'set') {
    throw new FunctionError('a list or tuple of values is required');
  }
  const all = asItems(items!);
  const wanted = asItems(names!);
  if (all.length !== wanted.length) throw new FunctionError(`${wanted.length} keys, but ${all.length} values`);
  const entries = new Map<string, Value>();
  for (const [i, name] of wanted.entries()) {
    if (name.state === 'null') throw new FunctionError('a key cannot be null');
    entries.set(asString(name), all[i]!);
  }
  return items!.type.kind === 'list' ? mapValue(entries, items!.type.element) : objectValue(entries);
}

export const collectionFunctions: Readonly<Record<string, HclFunction>> = {
  chunklist: define('The list in chunks of a size; size 0 gives one chunk.', [list('list'), number('size')], chunk),
  coalesce: variadic('The first argument that is not null.', [], orNull(any('vals')), coalesce),
  coalescelist: variadic('The first list that is not empty.', [], orNull(any('vals')), coalesceList),
  compact: define('The list without empty texts and nulls.', [typed('list', listType(stringType))], ([a]) =>
    compact(a!),
  ),
  concat: variadic('All lists in one.', [], any('seqs'), concat),
  contains: define('Whether a list holds a value.', [any('list'), orNull(any('value'))], ([a, b]) => contains(a!, b!)),
  distinct: define('The list without repetitions.', [list('list')], ([a]) => distinct(a!)),
  element: define('The element at a position; positions go round.', [any('list'), number('index')], element),
  flatten: define('All elements of nested lists in one.', [any('list')], ([a]) => flatten(a!)),
  index: define('The element at a position or under a key.', [any('collection'), any('key')], ([a, b]) =>
    index(a!, b!),
  ),
  keys: define('The keys of a map or object, sorted.', [any('inputMap')], ([a]) => keys(a!)),
  values: define('The values of a map or object, in the order of the keys.', [any('mapping')], ([a]) => values(a!)),
  length: define('The number of elements.', [any('collection')], ([a]) => length(a!)),
  lookup: define('The value under a key, or a default.', [any('inputMap'), text('key'), any('default')], lookup),
  merge: variadic('All maps or objects in one; later ones win.', [], orNull(any('maps')), merge),
  range: variadic('Numbers from a start to an end, without the end.', [], typed('params', numberType), range),
  slice: define(
    'The elements from a start to an end, without the end.',
    [any('list'), number('start_index'), number('end_index')],
    slice,
  ),
  sort: define('The texts in order.', [typed('list', listType(stringType))], ([a]) => sort(a!)),
  zipmap: define(
    'A map from a list of keys and a list of values.',
    [typed('keys', listType(stringType)), any('values')],
    zipmap,
  ),
};
