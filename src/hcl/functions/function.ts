import { type Type, typeName } from '../type.ts';
import type { Value } from '../value.ts';

/** One parameter of a function; arguments are converted to its type before the call. */
export interface Parameter {
  readonly name: string;
  readonly type: Type;
  /** Without it a null argument is refused. */
  readonly allowNull?: boolean;
  /** Without it an unknown argument makes the result unknown. */
  readonly allowUnknown?: boolean;
}

/** A function of the language: pure, and called with arguments of the right types. Throws `FunctionError`. */
export interface HclFunction {
  readonly description: string;
  readonly params: readonly Parameter[];
  /** Stands for any number of further arguments. */
  readonly rest?: Parameter | undefined;
  readonly call: (args: readonly Value[]) => Value;
  /** Evaluation steps that a call takes beyond the size of its arguments and result: of functions that are slow for their input. */
  readonly steps?: ((args: readonly Value[]) => number) | undefined;
  /** The type of the result where it is always the same; what an unknown argument gives has it. */
  readonly returns?: Type | undefined;
}

/** The function refused its input; with `argument`, because of that one (from 0). */
export class FunctionError extends Error {
  readonly argument: number | undefined;

  constructor(message: string, argument?: number) {
    super(message);
    this.name = 'FunctionError';
    this.argument = argument;
  }
}

export const wrongType = (argument: number, wanted: string, value: Value): FunctionError =>
  new FunctionError(`${wanted} is required, and this is ${typeName(value.type)}`, argument);
