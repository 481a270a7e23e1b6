/** The functions that every Go template has. `and` and `or` stop early: they are the evaluator's. */
import { compareText } from '../../lib/order.ts';
import { sprint, sprintf, sprintln } from './printf.ts';
import { ValueError } from './template-error.ts';
import { format, isList, isObject, isTrue, typeName, type Value } from './values.ts';

export interface TemplateFunction {
  readonly least: number;
  readonly most: number;
  readonly run: (values: readonly Value[]) => Value;
}

const any = Number.POSITIVE_INFINITY;
const fixed = (count: number, run: (...values: Value[]) => Value): TemplateFunction => ({
  least: count,
  most: count,
  run: (values) => run(...values),
});
const open = (least: number, run: (values: readonly Value[]) => Value): TemplateFunction => ({ least, most: any, run });

export const functions: { readonly [name: string]: TemplateFunction } = {
  and: open(1, (values) => values.find((value) => !isTrue(value)) ?? values.at(-1)),
  or: open(1, (values) => values.find(isTrue) ?? values.at(-1)),
  not: fixed(1, (value) => !isTrue(value)),
  len: fixed(1, length),
  index: open(1, ([item, ...keys]) => keys.reduce(indexed, item)),
  slice: { least: 1, most: 4, run: ([item, ...bounds]) => sliced(item, bounds) },
  print: open(0, sprint),
  println: open(0, sprintln),
  printf: open(1, ([layout, ...values]) => {
    if (typeof layout !== 'string')
      throw new ValueError(`wrong type for value; expected string; got ${typeName(layout)}`);
    return sprintf(layout, values);
  }),
  html: open(0, (values) => escapeHtml(sprint(values))),
  js: open(0, (values) => escapeJs(sprint(values))),
  urlquery: open(0, (values) =>
    encodeURIComponent(sprint(values).replace(/\p{Surrogate}/gu, '\uFFFD')).replaceAll('%20', '+'),
  ),
  eq: open(2, ([first, ...rest]) => rest.some((value) => equal(first, value))),
  ne: fixed(2, (a, b) => !equal(a, b)),
  lt: fixed(2, (a, b) => order(a, b) < 0),
  le: fixed(2, (a, b) => order(a, b) <= 0),
  gt: fixed(2, (a, b) => order(a, b) > 0),
  ge: fixed(2, (a, b) => order(a, b) >= 0),
};

function length(value: Value): number {
  if (value === null || value === undefined) return 0; // Go has nil lists and maps here
  if (typeof value === 'string') return new TextEncoder().encode(value).length;
  if (isList(value)) return value.length;
  if (isObject(value)) return Object.keys(value).length;
  throw new ValueError(`error calling len: len of type ${typeName(value)}`);
}

function indexed(item: Value, key: Value): Value {
  const fail = (problem: string): ValueError => new ValueError(`error calling index: ${problem}`);
  if (item === null || item === undefined) throw fail('index of untyped nil');
  if (isObject(item)) {
    if (typeof key !== 'string') throw fail(`value has type ${typeName(key)}; should be string`);
    return Object.hasOwn(item, key) ? item[key] : undefined;
  }
  if (!isList(item) && typeof item !== 'string') throw fail(`can't index item of type ${typeName(item)}`);
  if (typeof key !== 'number' || !Number.isInteger(key))
    throw fail(
      key == null ? 'cannot index slice/array with nil' : `cannot index slice/array with type ${typeName(key)}`,
    );
  const items: ArrayLike<Value> = typeof item === 'string' ? new TextEncoder().encode(item) : item;
  if (key < 0 || key >= items.length) throw fail(`index out of range: ${key}`);
  return items[key];
}

function sliced(item: Value, bounds: readonly Value[]): Value {
  const fail = (problem: string): ValueError => new ValueError(`error calling slice: ${problem}`);
  if (item === null || item === undefined) throw fail('slice of untyped nil');
  if (!isList(item) && typeof item !== 'string') throw fail(`can't slice item of type ${typeName(item)}`);
  if (typeof item === 'string' && bounds.length === 3) throw fail('cannot 3-index slice a string');
  const items = typeof item === 'string' ? new TextEncoder().encode(item) : item;
  const [from = 0, to = items.length, most = items.length] = bounds;
  for (const bound of [from, to, most]) {
    if (typeof bound !== 'number' || !Number.isInteger(bound))
      throw fail(`cannot index slice/array with type ${typeName(bound)}`);
    if (bound < 0 || bound > items.length) throw fail(`index out of range: ${bound}`);
  }
  if (Number(from) > Number(to)) throw fail(`invalid slice index: ${format(from)} > ${format(to)}`);
  const part = items.slice(Number(from), Number(to));
  return part instanceof Uint8Array ? new TextDecoder().decode(part) : part;
}

type Kind = 'bool' | 'number' | 'string' | 'nil' | 'other';

function kindOf(value: Value): Kind {
  if (value === null || value === undefined) return 'nil';
  if (typeof value === 'bigint' || typeof value === 'number') return 'number';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : 'other';
}

/** The evaluator puts `error calling eq:` in front: every comparison has its own name there. */
function equal(a: Value, b: Value): boolean {
  const [left, right] = [kindOf(a), kindOf(b)];
  if (left === 'nil' || right === 'nil') return left === right;
  if (left === 'other' || right === 'other')
    throw new ValueError(
      `non-comparable type ${format(left === 'other' ? a : b)}: ${typeName(left === 'other' ? a : b)}`,
    );
  if (left !== right) throw new ValueError('incompatible types for comparison');
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint equals the number of its value
  return a == b;
}

function order(a: Value, b: Value): number {
  const [left, right] = [kindOf(a), kindOf(b)];
  if (left !== right) throw new ValueError('incompatible types for comparison');
  if (left === 'number') return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
  if (left === 'string') return compareText(a as string, b as string);
  throw new ValueError('invalid type for comparison');
}

const htmlCodes: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\uFFFD',
};

function escapeHtml(text: string): string {
  return text.replace(/["'&<>\0]/g, (char) => htmlCodes[char]!);
}

function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=\u0000-\u001f\u007f]/g, (char) =>
    char === '\\' || char === "'" || char === '"'
      ? `\\${char}`
      : `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
}
