import { childContext, type EvalContext } from './context.ts';
import { convert } from './convert.ts';
import type { Evaluator } from './evaluator.ts';
import type { Expression, ForExpression } from './syntax.ts';
import { boolType, stringType, typeName } from './type.ts';
import {
  asString,
  canIterate,
  dynamicUnknown,
  elements,
  isMapping,
  isSequence,
  objectValue,
  tupleValue,
  type Value,
} from './value.ts';

/** Whether the results so far can be trusted; after the first doubt further problems of that kind are left out. */
interface Progress {
  certain: boolean;
}

/** Value of a `for` expression. */
export function evaluateFor(evaluator: Evaluator, expr: ForExpression, context: EvalContext): Value {
  const collection = evaluator.value(expr.collection, context);
  if (collection.state === 'null') {
    evaluator.problem(expr.collection.range, 'Iteration over null value', 'null has no elements to go through');
    return dynamicUnknown;
  }
  if (collection.type.kind === 'dynamic') return dynamicUnknown;
  if (!isSequence(collection.type) && !isMapping(collection.type)) {
    const detail = `a ${typeName(collection.type)} has no elements to go through`;
    evaluator.problem(expr.collection.range, 'Iteration over non-iterable value', detail);
    return dynamicUnknown;
  }
  if (!canIterate(collection)) return dynamicUnknown;
  if (!conditionFits(evaluator, expr, context)) return dynamicUnknown;
  const progress = { certain: true };
  const scopes = elements(collection).map(([key, value]) => {
    const variables = new Map<string, Value>();
    if (expr.keyName !== undefined) variables.set(expr.keyName, key);
    return childContext(context, variables.set(expr.valueName, value));
  });
  return expr.makesObject
    ? makeObject(evaluator, expr, expr.key!, scopes, progress)
    : makeTuple(evaluator, expr, scopes, progress);
}

/** An `if` clause that cannot work for any element is reported once, and even when there are no elements. */
function conditionFits(evaluator: Evaluator, expr: ForExpression, context: EvalContext): boolean {
  const { condition } = expr;
  if (condition === undefined) return true;
  const variables = new Map([[expr.valueName, dynamicUnknown]]);
  if (expr.keyName !== undefined) variables.set(expr.keyName, dynamicUnknown);
  const start = evaluator.diagnostics.length;
  const value = evaluator.value(condition, childContext(context, variables));
  if (value.state === 'null') {
    evaluator.problem(condition.range, 'Condition is null', 'the "if" clause is null, and must be true or false');
    return false;
  }
  const decided = convert(value, boolType);
  if (decided.error !== undefined) {
    evaluator.problem(condition.range, "Invalid 'for' condition", `the "if" clause is unsuitable: ${decided.error}`);
    return false;
  }
  return evaluator.diagnostics.length === start;
}

function makeTuple(
  evaluator: Evaluator,
  expr: ForExpression,
  scopes: readonly EvalContext[],
  progress: Progress,
): Value {
  const items: Value[] = [];
  for (const scope of scopes) {
    if (isIncluded(evaluator, expr, scope, progress)) items.push(evaluator.value(expr.value, scope));
  }
  return progress.certain ? tupleValue(items) : dynamicUnknown;
}

function makeObject(
  evaluator: Evaluator,
  expr: ForExpression,
  keyExpr: Expression,
  scopes: readonly EvalContext[],
  progress: Progress,
): Value {
  const groups = new Map<string, Value[]>();
  for (const scope of scopes) {
    if (!isIncluded(evaluator, expr, scope, progress)) continue;
    const key = keyOf(evaluator, keyExpr, scope, progress);
    if (key === undefined) continue;
    const value = evaluator.value(expr.value, scope);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else if (expr.group) group.push(value);
    else {
      const detail = `two elements give the key ${JSON.stringify(key)}; with "..." after the value they are grouped`;
      evaluator.problem(keyExpr.range, 'Duplicate object key', detail);
    }
  }
  if (!progress.certain) return dynamicUnknown;
  const entries = [...groups].map(([key, group]) => [key, expr.group ? tupleValue(group) : group[0]!] as const);
  return objectValue(new Map(entries));
}

/** The value of the `if` clause. */
function isIncluded(evaluator: Evaluator, expr: ForExpression, scope: EvalContext, progress: Progress): boolean {
  const condition = expr.condition;
  if (condition === undefined) return true;
  const doubt = (detail?: string): false => {
    if (detail !== undefined && progress.certain) evaluator.problem(condition.range, "Invalid 'for' condition", detail);
    progress.certain = false;
    return false;
  };
  const value = evaluator.value(condition, scope);
  if (value.state === 'null') return doubt('the "if" clause is null, and must be true or false');
  if (value.state === 'unknown') return doubt();
  const decided = convert(value, boolType);
  if (decided.error !== undefined) return doubt(`the "if" clause is unsuitable: ${decided.error}`);
  return decided.value.state === 'known' ? decided.value.data === true : doubt();
}

function keyOf(evaluator: Evaluator, expr: Expression, scope: EvalContext, progress: Progress): string | undefined {
  const doubt = (detail?: string): undefined => {
    if (detail !== undefined && progress.certain) evaluator.problem(expr.range, 'Invalid object key', detail);
    progress.certain = false;
  };
  const value = evaluator.value(expr, scope);
  if (value.state === 'null') return doubt('a key cannot be null');
  if (value.state === 'unknown') return doubt();
  const key = convert(value, stringType);
  if (key.error !== undefined) return doubt(`this cannot be a key: ${key.error}`);
  return asString(key.value);
}
