import { stringTemplate } from './json-value.ts';
import type { Expression, JsonNode, VariableExpression } from './syntax.ts';

/** All names that an expression takes from outside, with the steps after them; names of its own `for` are left out. */
export function referencedVariables(expr: Expression): VariableExpression[] {
  const found: VariableExpression[] = [];
  walk(expr, new Set(), found);
  return found;
}

type Names = ReadonlySet<string>;

function walkAll(exprs: readonly (Expression | undefined)[], bound: Names, found: VariableExpression[]): void {
  for (const expr of exprs) if (expr !== undefined) walk(expr, bound, found);
}

function walk(start: Expression, bound: Names, found: VariableExpression[]): void {
  let expr = start;
  // Sums are deep to the left.
  while (expr.kind === 'binary') {
    walk(expr.right, bound, found);
    expr = expr.left;
  }
  switch (expr.kind) {
    case 'variable':
      if (!bound.has(expr.name)) found.push(expr);
      return;
    case 'relative':
      walk(expr.source, bound, found);
      return;
    case 'call':
      walkAll(expr.args, bound, found);
      return;
    case 'conditional':
      walkAll([expr.condition, expr.whenTrue, expr.whenFalse], bound, found);
      return;
    case 'unary':
      walk(expr.operand, bound, found);
      return;
    case 'index':
      walkAll([expr.collection, expr.key], bound, found);
      return;
    case 'tuple':
      walkAll(expr.items, bound, found);
      return;
    case 'object':
      for (const { key, keyIsExpression, value } of expr.items) {
        if (keyIsExpression || key.kind !== 'variable') walk(key, bound, found);
        walk(value, bound, found);
      }
      return;
    case 'for': {
      walk(expr.collection, bound, found);
      const inner = new Set([...bound, expr.valueName, ...(expr.keyName === undefined ? [] : [expr.keyName])]);
      walkAll([expr.key, expr.value, expr.condition], inner, found);
      return;
    }
    case 'splat':
      walkAll([expr.source, expr.each], bound, found);
      return;
    case 'template':
      walkAll(expr.parts, bound, found);
      return;
    case 'wrap':
    case 'parentheses':
      walk(expr.inner, bound, found);
      return;
    case 'join':
      walk(expr.tuple, bound, found);
      return;
    case 'scoped':
      walk(expr.inner, new Set([...bound, ...expr.variables.keys()]), found);
      return;
    case 'json':
      walkJson(expr.node, bound, found);
      return;
    default:
  }
}

function walkJson(node: JsonNode, bound: Names, found: VariableExpression[]): void {
  if (node.kind === 'string') walk(stringTemplate(node.value, node).expr, bound, found);
  if (node.kind === 'array') for (const item of node.items) walkJson(item, bound, found);
  if (node.kind !== 'object') return;
  for (const { name, nameRange, value } of node.properties) {
    walk(stringTemplate(name, { range: nameRange }).expr, bound, found);
    walkJson(value, bound, found);
  }
}
