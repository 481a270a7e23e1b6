import type { EvalContext } from './context.ts';
import type { Evaluator } from './evaluator.ts';
import type { SplatExpression } from './syntax.ts';
import { dynamicType, listType, type Type, tupleType, typesEqual } from './type.ts';
import { asItems, dynamicUnknown, isSequence, listValue, tupleValue, unknownValue, type Value } from './value.ts';

/** Value of `source[*].x` and `source.*.x`; anything that is no sequence counts as one of one element, null as empty. */
export function evaluateSplat(evaluator: Evaluator, expr: SplatExpression, context: EvalContext): Value {
  const start = evaluator.diagnostics.length;
  const source = evaluator.value(expr.source, context);
  if (evaluator.diagnostics.length > start) return dynamicUnknown;
  const sequence = isSequence(source.type);
  if (source.state === 'null') {
    if (!sequence) return tupleValue([]);
    evaluator.problem(expr.source.range, 'Splat of null value', 'null has no elements for "*"');
    return dynamicUnknown;
  }
  if (source.type.kind === 'dynamic') return dynamicUnknown;
  if (source.state === 'unknown') {
    if (sequence) return unknownResult(evaluator, expr, source.type, context);
    // One element or none, when it turns out to be null; what is asked of it is checked all the same.
    evaluateItem(evaluator, expr, source, context);
    return dynamicUnknown;
  }
  const items = sequence ? asItems(source) : [source];
  const results = items.map((item) => evaluateItem(evaluator, expr, item, context));
  if (evaluator.diagnostics.length > start)
    return withoutProblems(evaluator, () =>
      unknownResult(evaluator, expr, sequence ? source.type : tupleType([source.type]), context),
    );
  if (source.type.kind !== 'list' && source.type.kind !== 'set') return tupleValue(results);
  const first = results[0];
  if (first === undefined) {
    const probe = itemType(evaluator, expr, source.type.element, context);
    return listValue([], probe);
  }
  // Elements of one type give results of one type, except where null leaves it open.
  return results.every((item) => typesEqual(item.type, first.type))
    ? listValue(results, first.type)
    : tupleValue(results);
}

function evaluateItem(evaluator: Evaluator, expr: SplatExpression, item: Value, context: EvalContext): Value {
  const before = evaluator.symbols.get(expr.item);
  evaluator.symbols.set(expr.item, item);
  const value = evaluator.value(expr.each, context);
  if (before === undefined) evaluator.symbols.delete(expr.item);
  else evaluator.symbols.set(expr.item, before);
  return value;
}

function itemType(evaluator: Evaluator, expr: SplatExpression, element: Type, context: EvalContext): Type {
  return evaluateItem(evaluator, expr, unknownValue(element), context).type;
}

/** For what was evaluated before: its problems were found then. */
function withoutProblems(evaluator: Evaluator, run: () => Value): Value {
  const outer = evaluator.diagnostics.length;
  const value = run();
  evaluator.diagnostics.length = outer;
  return value;
}

/** What is known of a result without its value: its type. */
function unknownResult(evaluator: Evaluator, expr: SplatExpression, type: Type, context: EvalContext): Value {
  const typeOf = (element: Type): Type => itemType(evaluator, expr, element, context);
  let result: Type = dynamicType;
  if (type.kind === 'list' || type.kind === 'set') result = listType(typeOf(type.element));
  else if (type.kind === 'tuple') result = tupleType(type.elements.map(typeOf));
  return unknownValue(result);
}
