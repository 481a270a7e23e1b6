import {
  absolute,
  add,
  compare,
  fromFloat,
  fromInteger,
  type HclNumber,
  isInteger,
  sign,
  toFloat,
  truncate,
} from '../number.ts';
import { numberType } from '../type.ts';
import { asNumber, asString, integerValue, numberValue, type Value } from '../value.ts';
import { any, define, number, typed, variadic, wholeNumber } from './define.ts';
import { FunctionError, type HclFunction, wrongType } from './function.ts';
import { parseRadix } from './parse-radix.ts';
import { power } from './power.ts';

function whole(value: HclNumber, step: -1 | 1): HclNumber {
  if (value.infinite) return value;
  const near = fromInteger(truncate(value)!);
  const away = sign(value) === step && !isInteger(value) ? add(near, fromInteger(step))! : near;
  return { ...away, precision: value.precision };
}

function float(result: number): Value {
  const value = fromFloat(result);
  if (value === undefined) throw new FunctionError('the result is not a number');
  return numberValue(value);
}

function extreme(args: readonly Value[], wanted: -1 | 1): Value {
  const first = args[0];
  if (first === undefined) throw new FunctionError('at least one number is required');
  return args.reduce((best, value) => (compare(asNumber(value), asNumber(best)) * wanted > 0 ? value : best), first);
}

function parseInteger(args: readonly Value[]): Value {
  const [input] = args;
  if (input!.type.kind !== 'string') throw wrongType(0, 'a string', input!);
  const base = wholeNumber(args, 1);
  if (base < 2 || base > 62) throw new FunctionError('a base from 2 to 62 is required', 1);
  const result = parseRadix(asString(input!), base);
  if (result === undefined)
    throw new FunctionError(`${JSON.stringify(input!.data)} is no whole number of base ${base}`, 0);
  return integerValue(result);
}

export const numericFunctions: Readonly<Record<string, HclFunction>> = {
  abs: define('The number without its sign.', [number('num')], ([a]) => numberValue(absolute(asNumber(a!)))),
  ceil: define('The next whole number above.', [number('num')], ([a]) => numberValue(whole(asNumber(a!), 1))),
  floor: define('The next whole number below.', [number('num')], ([a]) => numberValue(whole(asNumber(a!), -1))),
  log: define('The logarithm of a number to a base.', [number('num'), number('base')], ([a, b]) =>
    float(Math.log(toFloat(asNumber(a!))) / Math.log(toFloat(asNumber(b!)))),
  ),
  pow: define('A number to a power.', [number('num'), number('power')], ([a, b]) =>
    float(power(toFloat(asNumber(a!)), toFloat(asNumber(b!)))),
  ),
  max: variadic('The largest of the numbers.', [], typed('numbers', numberType), (args) => extreme(args, 1)),
  min: variadic('The smallest of the numbers.', [], typed('numbers', numberType), (args) => extreme(args, -1)),
  signum: define('-1, 0 or 1: the sign of a whole number.', [number('num')], (args) =>
    integerValue(Math.sign(wholeNumber(args, 0, false))),
  ),
  parseint: define('The whole number that a text stands for in a base.', [any('number'), number('base')], parseInteger),
};
