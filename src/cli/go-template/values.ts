/**
 * JSON values as templates see them. Go's API types are structs and maps; JSON does not tell them apart, so an object whose keys all
 * begin with a capital counts as a struct: asking it for a field it lacks is an error, while a map gives `<no value>`.
 */
import { compareText } from '../../lib/order.ts';
import { ValueError } from './template-error.ts';

export type Value =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | readonly Value[]
  | { readonly [key: string]: Value };

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

export const isObject = (value: Value): value is { readonly [key: string]: Value } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function typeName(value: Value): string {
  if (value === null || value === undefined) return '<nil>';
  if (isList(value)) return '[]interface {}';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float64';
    default:
      return 'map[string]interface {}';
  }
}

/** What `if`, `with`, `and` and `or` take for true. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

export function fieldOf(value: Value, name: string): Value {
  if (value === undefined) return undefined;
  if (value === null) throw new ValueError(`nil pointer evaluating interface {}.${name}`);
  if (!isObject(value)) throw new ValueError(`can't evaluate field ${name} in type ${typeName(value)}`);
  if (Object.hasOwn(value, name)) return value[name];
  // some API types rename a field on the wire: .Config is "config"
  const renamed = Object.keys(value).find((key) => key.toLowerCase() === name.toLowerCase());
  if (renamed !== undefined && /^\p{Lu}/u.test(name) && /^\p{Ll}/u.test(renamed)) return value[renamed];
  if (isStruct(value) && /^\p{Lu}/u.test(name)) throw new ValueError(`can't evaluate field ${name} in type struct`);
  return undefined;
}

function isStruct(value: object): boolean {
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => /^[A-Z]\w*$/.test(key));
}

/** As `%v`. */
export function format(value: Value): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (typeof value === 'number') return formatNumber(value);
  if (isList(value)) return `[${value.map(format).join(' ')}]`;
  if (isObject(value)) {
    const keys = Object.keys(value).sort(compareText);
    return `map[${keys.map((key) => `${key}:${format(value[key])}`).join(' ')}]`;
  }
  return String(value);
}

/** Whole numbers came from Go's integers: never with an exponent. */
function formatNumber(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  const text = Number.isInteger(value) && Math.abs(value) < 1e21 ? BigInt(value).toString() : String(value);
  const match = /^(.*)e([+-])(\d+)$/.exec(text);
  return match === null ? text : `${match[1]}e${match[2]}${match[3]!.padStart(2, '0')}`;
}
