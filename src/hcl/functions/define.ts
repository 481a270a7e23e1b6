import { isInteger, truncate } from '../number.ts';
import { dynamicType, numberType, stringType, type Type } from '../type.ts';
import { asNumber, type Value } from '../value.ts';
import { FunctionError, type HclFunction, type Parameter } from './function.ts';

export const text = (name: string): Parameter => ({ name, type: stringType });
export const number = (name: string): Parameter => ({ name, type: numberType });
export const any = (name: string): Parameter => ({ name, type: dynamicType });
export const typed = (name: string, type: Type): Parameter => ({ name, type });
export const orNull = (param: Parameter): Parameter => ({ ...param, allowNull: true });

/** A function of a fixed number of arguments. */
export function define(
  description: string,
  params: readonly Parameter[],
  call: (args: readonly Value[]) => Value,
): HclFunction {
  return { description, params, call };
}

/** A function whose last parameter may be given any number of times. */
export function variadic(
  description: string,
  params: readonly Parameter[],
  rest: Parameter,
  call: (args: readonly Value[]) => Value,
): HclFunction {
  return { description, params, rest, call };
}

/** The same function, that costs more than its arguments are large. */
export const costing = (steps: (args: readonly Value[]) => number, call: HclFunction): HclFunction => ({
  ...call,
  steps,
});

/** So many steps for each character of the first argument. */
export const perCharacter =
  (steps: number) =>
  ([first]: readonly Value[]): number =>
    (first!.data as string).length * steps;

/** The whole number in argument `i`, of 64 bits; beyond 2^53 the nearest one. */
export function wholeNumber(args: readonly Value[], i: number, atArgument = true): number {
  const value = asNumber(args[i]!);
  const whole = isInteger(value) ? truncate(value) : undefined;
  if (whole === undefined || whole >= 1n << 63n || whole < -(1n << 63n)) {
    throw new FunctionError('a whole number is required', atArgument ? i : undefined);
  }
  return Number(whole);
}
