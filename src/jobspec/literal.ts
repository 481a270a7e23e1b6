import {
  boolValue,
  dynamicUnknown,
  type EvalContext,
  type Evaluation,
  type Expression,
  evaluate,
  type JsonNode,
  nullDynamic,
  numberValue,
  objectValue,
  parseExpression,
  parseNumber,
  stringValue,
  tupleValue,
  type Value,
} from '../hcl/index.ts';

const nothing: EvalContext = {};

/** The value of an expression that may use neither names nor functions. A text in the JSON syntax is no template there. */
export function evaluateLiteral(expr: Expression): Evaluation {
  return expr.kind === 'json' ? { value: literal(expr.node), diagnostics: [] } : evaluate(expr, nothing);
}

function literal(node: JsonNode): Value {
  switch (node.kind) {
    case 'null':
      return nullDynamic;
    case 'bool':
      return boolValue(node.value);
    case 'number': {
      const number = parseNumber(node.text);
      return number === undefined ? dynamicUnknown : numberValue(number);
    }
    case 'string':
      return stringValue(node.value);
    case 'array':
      return tupleValue(node.items.map(literal));
    case 'object':
      return objectValue(new Map(node.properties.map(({ name, value }) => [name, literal(value)])));
    case 'invalid':
      return dynamicUnknown;
  }
}

/** In the JSON syntax an expression that is no value, like a type, is written in a text. */
export function writtenExpression(expr: Expression): Expression {
  if (expr.kind !== 'json' || expr.node.kind !== 'string') return expr;
  const parsed = parseExpression(expr.node.value, expr.range.filename);
  return parsed.diagnostics.length > 0 ? expr : parsed.expr;
}
