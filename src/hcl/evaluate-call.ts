import { append } from '../lib/append.ts';
import type { EvalContext, FunctionTable, SpecialFunction } from './context.ts';
import { convert } from './convert.ts';
import type { Evaluator } from './evaluator.ts';
import { FunctionError, type HclFunction, type Parameter } from './functions/function.ts';
import type { SourceRange } from './source.ts';
import { suggestion } from './suggest.ts';
import { type CallExpression, type Expression, startRange } from './syntax.ts';
import { dynamicType } from './type.ts';
import { asItems, dynamicUnknown, isSequence, isWhollyKnown, unknownValue, type Value } from './value.ts';

/** An argument: an expression, or one element of a list that was expanded with `...`. */
interface Argument {
  readonly expr: Expression;
  readonly value?: Value;
}

/** Value of a function call. */
export function evaluateCall(evaluator: Evaluator, call: CallExpression, context: EvalContext): Value {
  const found = findFunction(evaluator, call, context);
  if (found === undefined) return dynamicUnknown;
  const args = expandArguments(evaluator, call, context);
  if (args === undefined) return dynamicUnknown;
  if ('special' in found) return callSpecial(evaluator, call, found, args, context);
  if (!checkCount(evaluator, call, args, found)) return dynamicUnknown;
  const start = evaluator.diagnostics.length;
  const values = args.map((arg, i) => argumentValue(evaluator, arg, found.params[i] ?? found.rest!, context));
  if (evaluator.diagnostics.length > start) return dynamicUnknown;
  return callPlain(evaluator, call, found, args, values);
}

function findFunction(
  evaluator: Evaluator,
  call: CallExpression,
  context: EvalContext,
): HclFunction | SpecialFunction | undefined {
  let table: FunctionTable | undefined;
  for (let at: EvalContext | undefined = context; at !== undefined; at = at.parent) {
    if (at.functions === undefined) continue;
    table ??= at.functions;
    const found = at.functions.get(call.name);
    if (found !== undefined) return found;
  }
  if (table === undefined) {
    evaluator.problem(call.range, 'Function calls not allowed', 'functions cannot be called here');
  } else {
    const hint = suggestion(call.name, table.keys());
    evaluator.problem(
      call.nameRange,
      'Call to unknown function',
      `there is no function ${JSON.stringify(call.name)}.${hint}`,
    );
  }
  return undefined;
}

function expandArguments(evaluator: Evaluator, call: CallExpression, context: EvalContext): Argument[] | undefined {
  if (!call.expandFinal) return call.args.map((expr) => ({ expr }));
  const expr = call.args.at(-1)!;
  const start = evaluator.diagnostics.length;
  const value = evaluator.value(expr, context);
  if (evaluator.diagnostics.length > start) return undefined;
  const summary = 'Invalid expanding argument value';
  if (value.state === 'null' && (value.type.kind === 'dynamic' || isSequence(value.type))) {
    evaluator.problem(expr.range, summary, 'null cannot be expanded with "..."');
    return undefined;
  }
  if (value.type.kind === 'dynamic') return undefined;
  if (!isSequence(value.type)) {
    evaluator.problem(expr.range, summary, 'only a list, a set or a tuple can be expanded with "..."');
    return undefined;
  }
  if (value.state !== 'known') return undefined;
  // Elements of an expanded list are reported at the whole list.
  const whole: Expression = { kind: 'literal', value, range: expr.range };
  const rest = asItems(value).map((item) => ({ expr: whole, value: item }));
  return [...call.args.slice(0, -1).map((other) => ({ expr: other })), ...rest];
}

function checkCount(
  evaluator: Evaluator,
  call: CallExpression,
  args: readonly Argument[],
  found: HclFunction,
): boolean {
  const { params, rest } = found;
  if (args.length < params.length) {
    const missing = params[args.length]!.name;
    const least = rest === undefined ? '' : 'at least ';
    evaluator.problem(
      call.closeRange,
      'Not enough function arguments',
      `${call.name} takes ${least}${params.length} argument(s), and ${JSON.stringify(missing)} is missing`,
    );
    return false;
  }
  if (rest !== undefined || args.length <= params.length) return true;
  const extra = startRange(args[params.length]!.expr);
  evaluator.problem(extra, 'Too many function arguments', `${call.name} takes only ${params.length} argument(s)`);
  return false;
}

function argumentValue(evaluator: Evaluator, arg: Argument, param: Parameter, context: EvalContext): Value {
  const value = arg.value ?? evaluator.value(arg.expr, context);
  const result = convert(value, param.type);
  if (result.error === undefined) return result.value;
  refuse(evaluator, startRange(arg.expr), param, result.error);
  return value;
}

function refuse(evaluator: Evaluator, range: SourceRange, param: Parameter, reason: string): void {
  evaluator.problem(range, 'Invalid function argument', `${JSON.stringify(param.name)} is unsuitable: ${reason}`);
}

function callPlain(
  evaluator: Evaluator,
  call: CallExpression,
  found: HclFunction,
  args: readonly Argument[],
  values: readonly Value[],
): Value {
  let cost = 1;
  for (const [i, value] of values.entries()) {
    const param = found.params[i] ?? found.rest!;
    cost += value.size;
    if (value.state !== 'null' || param.allowNull === true) continue;
    refuse(evaluator, startRange(args[i]!.expr), param, 'it must not be null');
    return dynamicUnknown;
  }
  evaluator.budget.spend(cost);
  const undecided = values.some(
    (value, i) => (found.params[i] ?? found.rest!).allowUnknown !== true && !isWhollyKnown(value),
  );
  if (undecided) return unknownValue(found.returns ?? dynamicType);
  try {
    if (found.steps !== undefined) evaluator.budget.spend(found.steps(values));
    const result = found.call(values);
    evaluator.budget.spend(result.size);
    return result;
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    reportFailure(evaluator, call, found, args, error);
    return dynamicUnknown;
  }
}

function reportFailure(
  evaluator: Evaluator,
  call: CallExpression,
  found: HclFunction,
  args: readonly Argument[],
  error: FunctionError,
): void {
  const at = error.argument;
  const param = at === undefined ? undefined : (found.params[at] ?? found.rest);
  if (at !== undefined && param !== undefined) {
    const arg = args[at];
    refuse(evaluator, arg === undefined ? call.range : startRange(arg.expr), param, error.message);
  } else {
    evaluator.problem(
      startRange(call),
      'Error in function call',
      `Call to function "${call.name}" failed: ${error.message}.`,
    );
  }
}

function callSpecial(
  evaluator: Evaluator,
  call: CallExpression,
  found: SpecialFunction,
  args: readonly Argument[],
  context: EvalContext,
): Value {
  if (args.length < found.minimum) {
    const missing = found.parameterNames[args.length] ?? 'expression';
    const detail = `${call.name} takes at least ${found.minimum} argument(s), and ${JSON.stringify(missing)} is missing`;
    evaluator.problem(call.closeRange, 'Not enough function arguments', detail);
    return dynamicUnknown;
  }
  if (args.length > found.maximum) {
    const extra = startRange(args[found.maximum]!.expr);
    evaluator.problem(extra, 'Too many function arguments', `${call.name} takes only ${found.maximum} argument(s)`);
    return dynamicUnknown;
  }
  const exprs = args.map(
    (arg): Expression =>
      arg.value === undefined ? arg.expr : { kind: 'literal', value: arg.value, range: arg.expr.range },
  );
  try {
    const { value, diagnostics } = found.call(exprs, (expr) => evaluator.separately(expr, context));
    append(evaluator.diagnostics, diagnostics);
    return value;
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    const arg = error.argument === undefined ? undefined : exprs[error.argument];
    if (arg === undefined)
      evaluator.problem(
        startRange(call),
        'Error in function call',
        `Call to function "${call.name}" failed: ${error.message}.`,
      );
    else evaluator.problem(startRange(arg), 'Invalid function argument', error.message);
    return dynamicUnknown;
  }
}
