import type { Json } from '../lib/json.ts';
import { type Field, type FieldTable, type Infer, type Input, type IntegerType, type Noun, zeroOf } from './schema.ts';

/** A value of the wrong kind, named as Go's decoder names it; `path` as in `Job.TaskGroups.Tasks.Name`. */
export interface DecodeProblem {
  readonly path: string;
  readonly message: string;
}

export interface Decoded<T> {
  /** What could be read; fields with a problem are left out. */
  readonly value: Input<T>;
  readonly problems: readonly DecodeProblem[];
}

/**
 * JSON from a caller → the fields that the table knows. Keys are matched exactly, else without regard to case; unknown keys are
 * ignored; null is the same as absent. Never throws. `where` is the path of the value itself, `Job` for the job of a request.
 */
export function decode<F extends FieldTable>(noun: Noun<F>, json: Json, where = ''): Decoded<Infer<Noun<F>>> {
  const problems: DecodeProblem[] = [];
  const value = readObject(noun, json, { path: where, owner: noun.name, problems });
  return { value: (value ?? {}) as Input<Infer<Noun<F>>>, problems };
}

interface Place {
  readonly path: string;
  /** The struct that holds the field: Go's message names it. */
  readonly owner: string;
  readonly problems: DecodeProblem[];
}

const keysOf = new WeakMap<Noun, ReadonlyMap<string, string>>();

/** Lower-cased key → field name. */
function foldedKeys(noun: Noun): ReadonlyMap<string, string> {
  let keys = keysOf.get(noun);
  if (keys === undefined) {
    keys = new Map(Object.keys(noun.fields).map((name) => [name.toLowerCase(), name]));
    keysOf.set(noun, keys);
  }
  return keys;
}

function readObject(noun: Noun, json: Json, place: Place): unknown {
  if (json === null) return undefined;
  if (typeof json !== 'object' || Array.isArray(json)) return wrong(json, place, `api.${noun.name}`);
  const result = new Map<string, unknown>();
  for (const [key, item] of Object.entries(json)) {
    const name = Object.hasOwn(noun.fields, key) ? key : foldedKeys(noun).get(key.toLowerCase());
    if (name === undefined) continue;
    const path = place.path === '' ? name : `${place.path}.${name}`;
    const value = read(noun.fields[name]!, item, { path, owner: noun.name, problems: place.problems });
    if (value !== undefined) result.set(name, value);
  }
  return Object.fromEntries(result);
}

function read(field: Field<unknown>, json: Json, place: Place): unknown {
  if (json === null) return undefined;
  switch (field.kind) {
    case 'any':
      return json;
    case 'string':
    case 'time':
      return typeof json === 'string' ? json : wrong(json, place, goType(field));
    case 'bytes':
      return typeof json === 'string' && base64.test(json) ? json : wrong(json, place, goType(field));
    case 'bool':
      return typeof json === 'boolean' ? json : wrong(json, place, goType(field));
    case 'float':
      return typeof json === 'number' ? json : typeof json === 'bigint' ? Number(json) : wrong(json, place, 'float64');
    case 'int':
    case 'duration':
      return readInteger(field, json, place);
    case 'list':
      return readList(field.item!, json, place);
    case 'map':
      return readMap(field.item!, json, place);
    case 'object':
      return readObject(field.noun!, json, place);
  }
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Inclusive ranges. What is 64 bits wide on Nomad's side may hold an instant in nanoseconds, which a number keeps to a quarter of a
 * microsecond; elsewhere nothing needs more than 53 bits, so wider numbers are refused rather than rounded.
 */
export const integerRanges: { readonly [type in IntegerType | 'int']: readonly [number, number] } = {
  int: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int64: [-(2 ** 63), 2 ** 63],
  uint64: [0, 2 ** 64],
  uint32: [0, 2 ** 32 - 1],
  uint16: [0, 2 ** 16 - 1],
  uint8: [0, 255],
  int8: [-128, 127],
};

function readInteger(field: Field<unknown>, json: Json, place: Place): unknown {
  if (typeof json !== 'number' && typeof json !== 'bigint') return wrong(json, place, goType(field));
  // A duration of up to 292 years is legal and only its last nanoseconds are beyond 53 bits.
  if (field.kind === 'duration') {
    const whole = typeof json === 'bigint' || Number.isInteger(json);
    return whole && Math.abs(Number(json)) <= 2 ** 63 ? Number(json) : wrong(json, place, goType(field));
  }
  const [minimum, maximum] = integerRanges[field.bits ?? 'int'];
  const whole = Number(json);
  if (Number.isInteger(whole) && whole >= minimum && whole <= maximum) return whole + 0;
  return wrong(json, place, goType(field));
}

function readList(item: Field<unknown>, json: Json, place: Place): unknown {
  if (!Array.isArray(json)) return wrong(json, place, `[]${goType(item)}`);
  const result: unknown[] = [];
  for (const each of json) {
    const value = each === null ? emptyItem(item, place) : read(item, each, place);
    if (value !== undefined) result.push(value);
  }
  return result;
}

function readMap(item: Field<unknown>, json: Json, place: Place): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return wrong(json, place, `map[string]${goType(item)}`);
  }
  const entries: [string, unknown][] = [];
  for (const [key, each] of Object.entries(json)) {
    const value = each === null ? emptyItem(item, place) : read(item, each, place);
    if (value !== undefined) entries.push([key, value]);
  }
  return Object.fromEntries(entries);
}

/** null among the items: zero for plain values as in Go; for objects a problem, since nothing could be meant by it. */
function emptyItem(item: Field<unknown>, place: Place): unknown {
  if (item.kind === 'any') return null;
  return zeroOf(item.kind) ?? (item.nullable ? null : wrong(null, place, goType(item)));
}

function wrong(json: Json, place: Place, type: string): undefined {
  const field = place.path.includes('.') ? `${place.owner}.${place.path}` : place.path || place.owner;
  place.problems.push({
    path: place.path,
    message: `json: cannot unmarshal ${nameOf(json)} into Go struct field ${field} of type ${type}`,
  });
}

function nameOf(json: Json): string {
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'array';
  if (typeof json === 'bigint' || (typeof json === 'number' && !Number.isInteger(json))) return `number ${json}`;
  return typeof json === 'boolean' ? 'bool' : typeof json;
}

function goType(field: Field<unknown>): string {
  switch (field.kind) {
    case 'int':
      return field.bits ?? 'int';
    case 'duration':
      return 'time.Duration';
    case 'float':
      return 'float64';
    case 'time':
      return 'time.Time';
    case 'bytes':
      return '[]uint8';
    case 'list':
      return `[]${goType(field.item!)}`;
    case 'map':
      return `map[string]${goType(field.item!)}`;
    case 'object':
      return `api.${field.noun!.name}`;
    case 'any':
      return 'interface {}';
    default:
      return field.kind;
  }
}
