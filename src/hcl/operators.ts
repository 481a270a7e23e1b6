import { add, compare, divide, type HclNumber, multiply, negate, remainder, subtract } from './number.ts';
import type { BinaryOperator } from './syntax.ts';
import { boolType, dynamicType, numberType, type Type } from './type.ts';
import { asNumber, boolValue, isWhollyKnown, numberValue, unknownValue, type Value, valuesEqual } from './value.ts';

interface Operator {
  /** What both sides are converted to. */
  readonly operand: Type;
  readonly result: Type;
  /** Nothing when the operation has no result. */
  readonly apply: (left: Value, right: Value) => Value | undefined;
}

type Arithmetic = (a: HclNumber, b: HclNumber) => HclNumber | undefined;

const arithmetic = (operate: Arithmetic): Operator => ({
  operand: numberType,
  result: numberType,
  apply: (left, right) => {
    const result = operate(asNumber(left), asNumber(right));
    return result === undefined ? undefined : numberValue(result);
  },
});

const comparison = (holds: (order: number) => boolean): Operator => ({
  operand: numberType,
  result: boolType,
  apply: (left, right) => boolValue(holds(compare(asNumber(left), asNumber(right)))),
});

const logical = (operate: (a: boolean, b: boolean) => boolean): Operator => ({
  operand: boolType,
  result: boolType,
  apply: (left, right) => boolValue(operate(left.data as boolean, right.data as boolean)),
});

const equality = (wanted: boolean): Operator => ({
  operand: dynamicType,
  result: boolType,
  apply: (left, right) => {
    if (left.state === 'null' || right.state === 'null') {
      if (left.state === 'unknown' || right.state === 'unknown') return unknownValue(boolType);
      return boolValue((left.state === right.state) === wanted);
    }
    if (!isWhollyKnown(left) || !isWhollyKnown(right)) return unknownValue(boolType);
    return boolValue(valuesEqual(left, right) === wanted);
  },
});

export const binaryOperators: Readonly<Record<BinaryOperator, Operator>> = {
  '+': arithmetic(add),
  '-': arithmetic(subtract),
  '*': arithmetic(multiply),
  '/': arithmetic(divide),
  '%': arithmetic(remainder),
  '<': comparison((order) => order < 0),
  '<=': comparison((order) => order <= 0),
  '>': comparison((order) => order > 0),
  '>=': comparison((order) => order >= 0),
  '==': equality(true),
  '!=': equality(false),
  '&&': logical((a, b) => a && b),
  '||': logical((a, b) => a || b),
};

export const unaryOperators: Readonly<
  Record<'-' | '!', { readonly type: Type; readonly apply: (value: Value) => Value }>
> = {
  '-': { type: numberType, apply: (value) => numberValue(negate(asNumber(value))) },
  '!': { type: boolType, apply: (value) => boolValue(!(value.data as boolean)) },
};
