import { Fault } from '../fault.ts';
import { parseGoRegexp } from '../go-regexp.ts';
import { anyShape, type Shape } from './shape.ts';
import type { Expression, Operator, Selector } from './syntax.ts';

type Datum = { readonly [name: string]: unknown };

/** Names bound by `all` and `any`. */
type Bindings = ReadonlyMap<string, { readonly value: unknown; readonly shape: Shape }>;

const absent = Symbol('absent');
const noBindings: Bindings = new Map();

/** A compiled filter: true for data it lets through. Faults: `invalid` for a field that does not exist or a value that does not fit it. */
export type Filter = (datum: object) => boolean;

/** A pattern → whether a text has it; faults of bad patterns come from the compiler. */
export type PatternCompiler = (pattern: string) => (text: string) => boolean;

/** `patterns`: how `matches` reads its patterns; default: this engine's expressions, which a hostile one can stall. */
export function compileFilter(expression: Expression, shape: Shape, patterns: PatternCompiler = nativePattern): Filter {
  const compiled = compile(expression, { shape, patterns });
  return (datum) => compiled(datum as Datum, noBindings);
}

const nativePattern: PatternCompiler = (text) => {
  const pattern = parseGoRegexp(text);
  if (pattern === undefined) throw new Fault('invalid', `error parsing regexp: ${JSON.stringify(text)}`);
  return (value) => pattern.test(value);
};

interface Context {
  readonly shape: Shape;
  readonly patterns: PatternCompiler;
}

type Compiled = (datum: Datum, bindings: Bindings) => boolean;

function compile(expression: Expression, context: Context): Compiled {
  switch (expression.kind) {
    case 'not': {
      const operand = compile(expression.operand, context);
      return (datum, bindings) => !operand(datum, bindings);
    }
    case 'and':
    case 'or': {
      const left = compile(expression.left, context);
      const right = compile(expression.right, context);
      return expression.kind === 'and'
        ? (datum, bindings) => left(datum, bindings) && right(datum, bindings)
        : (datum, bindings) => left(datum, bindings) || right(datum, bindings);
    }
    case 'all':
    case 'any':
      return collection(expression, context);
    case 'match':
      return match(expression, context);
  }
}

function collection(expression: Expression & { readonly kind: 'all' | 'any' }, context: Context): Compiled {
  const inner = compile(expression.inner, context);
  const every = expression.kind === 'all';
  return (datum, bindings) => {
    const found = find(datum, context.shape, expression.selector, bindings);
    if (found === absent) return every;
    const entries = Array.isArray(found.value)
      ? found.value.map((item, index) => [index, item] as const)
      : Object.entries((found.value ?? {}) as Datum);
    const isMap = !Array.isArray(found.value);
    const test = ([key, item]: readonly [number | string, unknown]): boolean => {
      const bound = new Map(bindings);
      const value = { value: item, shape: found.shape.item ?? anyShape };
      const name = { value: key, shape: { kind: isMap ? ('string' as const) : ('int' as const) } };
      const [first = '', second] = expression.names;
      // one name: the item of a list, the key of a map; two: index or key, then the item
      bound.set(first, second === undefined && !isMap ? value : name);
      if (second !== undefined) bound.set(second, value);
      return inner(datum, bound);
    };
    return every ? entries.every(test) : entries.some(test);
  };
}

function match(expression: Expression & { readonly kind: 'match' }, context: Context): Compiled {
  const { selector, operator, value } = expression;
  const test = tester(operator, value, context.patterns);
  return (datum, bindings) => {
    const found = find(datum, context.shape, selector, bindings);
    if (found === absent) return operator === '!=' || operator.startsWith('not ') || operator === 'is empty';
    return test(found.value, found.shape);
  };
}

type Test = (value: unknown, shape: Shape) => boolean;

function tester(operator: Operator, text: string, patterns: PatternCompiler): Test {
  switch (operator) {
    case '==':
      return (value, shape) => equals(value, shape, text);
    case '!=':
      return (value, shape) => !equals(value, shape, text);
    case 'in':
      return (value, shape) => contains(value, shape, text);
    case 'not in':
      return (value, shape) => !contains(value, shape, text);
    case 'is empty':
      return (value) => isEmpty(value);
    case 'is not empty':
      return (value) => !isEmpty(value);
    case 'matches':
    case 'not matches': {
      const found = patterns(text);
      return (value) => found(String(value)) === (operator === 'matches');
    }
  }
}

function equals(value: unknown, shape: Shape, text: string): boolean {
  if (typeof value === 'boolean' || shape.kind === 'bool') {
    if (!/^(1|t|true|0|f|false)$/i.test(text)) throw new Fault('invalid', `${JSON.stringify(text)} is not a boolean`);
    return (value ?? false) === /^(1|t|true)$/i.test(text);
  }
  if (typeof value === 'number' || typeof value === 'bigint') {
    const number = Number(text);
    if (text === '' || Number.isNaN(number)) throw new Fault('invalid', `${JSON.stringify(text)} is not a number`);
    return Number(value) === number;
  }
  if (typeof value === 'string') return value === text;
  if (value === null) return text === '';
  throw new Fault('invalid', 'lists and maps are compared with "in", "contains" or "is empty"');
}

function contains(value: unknown, shape: Shape, text: string): boolean {
  if (typeof value === 'string') return value.includes(text);
  if (Array.isArray(value)) return value.some((item) => equals(item, shape.item ?? anyShape, text));
  if (value === null || value === undefined) return false;
  if (typeof value === 'object') return Object.hasOwn(value, text);
  throw new Fault('invalid', '"in" and "contains" ask a string, a list or a map');
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object') return Object.keys(value).length === 0;
  if (typeof value === 'string') return false;
  throw new Fault('invalid', '"is empty" asks a string, a list or a map');
}

/** Walks the selector. A field that no declaration knows is a mistake of the caller's; a key that is not there is `absent`. */
function find(
  datum: Datum,
  root: Shape,
  selector: Selector,
  bindings: Bindings,
): { readonly value: unknown; readonly shape: Shape } | typeof absent {
  const bound = bindings.get(selector[0]!);
  let value: unknown = bound === undefined ? datum : bound.value;
  let shape = bound === undefined ? root : bound.shape;
  for (let part = bound === undefined ? 0 : 1; part < selector.length; part++) {
    const name = selector[part]!;
    if (shape.kind === 'struct') {
      const field = shape.fields?.()[name];
      if (field === undefined)
        throw new Fault(
          'invalid',
          `error finding value in datum: /${selector.join('/')} at part ${part}: couldn't find key: struct field with name ${JSON.stringify(name)}`,
        );
      // a struct that is null has no fields to ask: as absent as a missing key
      if (value === null || value === undefined) return absent;
      value = (value as Datum)[name];
      shape = field;
      continue;
    }
    if (value === null || typeof value !== 'object') return absent;
    const item = Array.isArray(value)
      ? value[Number(name)]
      : Object.hasOwn(value, name)
        ? (value as Datum)[name]
        : undefined;
    if (item === undefined) return absent;
    value = item;
    shape = shape.item ?? anyShape;
  }
  return { value: value === undefined ? null : value, shape };
}
