import type { EvalContext } from './context.ts';
import { convert } from './convert.ts';
import type { Evaluator } from './evaluator.ts';
import type { JoinExpression, TemplateExpression } from './syntax.ts';
import { stringType } from './type.ts';
import { asItems, asString, stringValue, unknownValue, type Value } from './value.ts';

const summary = 'Invalid template interpolation value';

/** Text and expressions in one string. */
export function evaluateTemplate(evaluator: Evaluator, expr: TemplateExpression, context: EvalContext): Value {
  const { text: whole } = expr;
  if (whole !== undefined) return whole;
  const only = expr.parts.length === 1 ? expr.parts[0]! : undefined;
  if (only?.kind === 'literal' && only.value.state === 'known' && only.value.type.kind === 'string') return only.value;
  const texts: string[] = [];
  let certain = true;
  const before = evaluator.diagnostics.length;
  for (const part of expr.parts) {
    const value = evaluator.value(part, context);
    if (value.state === 'null') {
      evaluator.problem(part.range, summary, 'null cannot be put into a string');
      continue;
    }
    if (value.state === 'unknown') {
      certain = false;
      continue;
    }
    const text = convert(value, stringType);
    if (text.error !== undefined) {
      evaluator.problem(part.range, summary, `this cannot be put into a string: ${text.error}`);
    } else {
      evaluator.budget.spend(text.value.size);
      // After a problem the text ends: what is made of it is judged by what came before.
      if (evaluator.diagnostics.length === before) texts.push(asString(text.value));
    }
  }
  return certain ? stringValue(texts.join('')) : unknownValue(stringType);
}

/** The results of a `%{ for }` in one string. */
export function evaluateJoin(evaluator: Evaluator, expr: JoinExpression, context: EvalContext): Value {
  const tuple = evaluator.value(expr.tuple, context);
  if (tuple.state !== 'known') return unknownValue(stringType);
  const texts: string[] = [];
  for (const item of asItems(tuple)) {
    if (item.state === 'unknown') return unknownValue(stringType);
    texts.push(asString(item));
  }
  return stringValue(texts.join(''));
}
