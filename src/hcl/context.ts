import type { Diagnostic } from './diagnostic.ts';
import type { HclFunction } from './functions/function.ts';
import type { Budget } from './limits.ts';
import type { Expression, VariableExpression } from './syntax.ts';
import type { Type } from './type.ts';
import type { Value } from './value.ts';

/** A value and the problems of finding it. With errors the value is unknown or a part of what was asked for. */
export interface Evaluation {
  readonly value: Value;
  readonly diagnostics: readonly Diagnostic[];
}

/** Functions that get their arguments as expressions, not as values: `try`, `can` and `convert`. */
export interface SpecialFunction {
  readonly description: string;
  readonly special: true;
  readonly minimum: number;
  readonly maximum: number;
  readonly parameterNames: readonly string[];
  readonly returns?: Type | undefined;
  /** `evaluate` gives value and problems of one argument; throws `FunctionError`, or returns problems with a place. */
  readonly call: (args: readonly Expression[], evaluate: (arg: Expression) => Evaluation) => Evaluation;
}

export type FunctionTable = ReadonlyMap<string, HclFunction | SpecialFunction>;

export interface MissingAttribute {
  readonly detail: string;
  /** Its value failed, and that was reported. */
  readonly echo?: boolean;
}

/** Names and functions that an expression may use; a name is looked up here first, then in `parent`. */
export interface EvalContext {
  readonly variables?: ReadonlyMap<string, Value> | undefined;
  readonly functions?: FunctionTable | undefined;
  /** Gives the value of a name that is nowhere in scope. Without it that is an error. */
  readonly undefinedVariable?: ((variable: VariableExpression) => Evaluation) | undefined;
  /** What to say of an attribute that a name in scope lacks, when something better is known than that it lacks it. */
  readonly missing?: ((name: string, attribute: string) => MissingAttribute | undefined) | undefined;
  readonly parent?: EvalContext | undefined;
  /** What all evaluations in this context together may cost; by default each has its own. */
  readonly budget?: Budget | undefined;
}

/** The context with some more names in front. */
export function childContext(parent: EvalContext, variables: ReadonlyMap<string, Value>): EvalContext {
  return { parent, variables };
}

export function findBudget(context: EvalContext): Budget | undefined {
  for (let at: EvalContext | undefined = context; at !== undefined; at = at.parent) {
    if (at.budget !== undefined) return at.budget;
  }
  return undefined;
}
