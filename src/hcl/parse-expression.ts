import { parseNumber } from './number-parse.ts';
import { parseCall } from './parse-call.ts';
import { parseObject, parseTuple } from './parse-collection.ts';
import { parseTemplateTerm } from './parse-template.ts';
import type { ParserCore } from './parser-core.ts';
import type { SourceRange } from './source.ts';
import type { BinaryOperator, Expression, SymbolExpression, TraversalStep } from './syntax.ts';
import { AttributeStep, LiteralNode, NumberNode, VariableNode } from './token-nodes.ts';
import { Tok } from './tokens.ts';
import { boolValue, dynamicUnknown, nullDynamic, numberValue, type Value } from './value.ts';

/** Binary operators: how tightly they bind, and how they are written. */
const operators = new Map<number, readonly [number, BinaryOperator]>([
  [Tok.Or, [1, '||']],
  [Tok.And, [2, '&&']],
  [Tok.EqualOp, [3, '==']],
  [Tok.NotEqual, [3, '!=']],
  [Tok.Greater, [4, '>']],
  [Tok.GreaterEqual, [4, '>=']],
  [Tok.Less, [4, '<']],
  [Tok.LessEqual, [4, '<=']],
  [Tok.Plus, [5, '+']],
  [Tok.Minus, [5, '-']],
  [Tok.Star, [6, '*']],
  [Tok.Slash, [6, '/']],
  [Tok.Percent, [6, '%']],
]);

/** Lets `core.expression()` read whole expressions. */
export function bindExpressions(core: ParserCore): void {
  core.expression = () => parseConditional(core);
}

function parseConditional(core: ParserCore): Expression {
  if (!core.enter()) {
    core.leave();
    return core.placeholder(core.range(core.peek()));
  }
  const expr = parseConditionalInside(core);
  core.leave();
  return expr;
}

function parseConditionalInside(core: ParserCore): Expression {
  const before = core.problems;
  const start = core.peek();
  const condition = parseBinary(core, 1);
  if (core.broken(before) || core.peekKind() !== Tok.Question) return condition;
  core.read();
  const beforeTrue = core.problems;
  const whenTrue = parseConditional(core);
  if (core.broken(beforeTrue)) return condition;
  const colon = core.peek();
  if (core.kind(colon) !== Tok.Colon) {
    core.problem(
      core.range(colon),
      'Missing false expression in conditional',
      'after the "?" and its value a ":" and the other value must follow',
    );
    return condition;
  }
  core.read();
  const beforeFalse = core.problems;
  const whenFalse = parseConditional(core);
  if (core.broken(beforeFalse)) return condition;
  const range = core.range(start).to(whenFalse.range);
  return { kind: 'conditional', condition, whenTrue, whenFalse, range };
}

function parseBinary(core: ParserCore, level: number): Expression {
  const before = core.problems;
  let left = parseTraversal(core);
  if (core.broken(before)) return left;
  for (;;) {
    const found = operators.get(core.peekKind());
    if (found === undefined || found[0] < level) return left;
    core.read();
    const beforeRight = core.problems;
    const right = parseBinary(core, found[0] + 1);
    if (core.broken(beforeRight)) return left;
    left = { kind: 'binary', operator: found[1], left, right, range: left.range.to(right.range) };
  }
}

function parseTraversal(core: ParserCore): Expression {
  return parseSteps(core, parseTerm(core));
}

/** Reads `.name`, `.0`, `.*`, `[key]` and `[*]` after an expression. */
function parseSteps(core: ParserCore, from: Expression): Expression {
  let expr = from;
  for (let steps = 0; ; steps++) {
    const kind = core.peekKind();
    if (kind === Tok.Dot) expr = parseDot(core, expr, from);
    else if (kind === Tok.OpenBracket) expr = parseIndex(core, expr, from);
    else return expr;
    if (steps > maxSteps && expr.kind !== 'variable' && expr.kind !== 'relative') {
      core.problem(
        core.range(core.peek()),
        'Expression too long',
        `more than ${maxSteps} indexes in a row are not read`,
      );
      core.recovering = true;
      return expr;
    }
  }
}

/** Most indexes in a row that are expressions: each is one level of the tree. */
const maxSteps = 500;

/** `expr` with one more step, which ends with token `last`: a name keeps its steps in one list. */
function extend(expr: Expression, step: TraversalStep, last: number): Expression {
  if (expr instanceof VariableNode) {
    expr.extend(step, last);
    return expr;
  }
  if (expr.kind === 'relative') {
    expr.steps.push(step);
    expr.range = expr.range.to(step.range);
    return expr;
  }
  return { kind: 'relative', source: expr, steps: [step], range: expr.range.to(step.range) };
}

function parseDot(core: ParserCore, expr: Expression, from: Expression): Expression {
  const dot = core.read();
  const next = core.peek();
  switch (core.kind(next)) {
    case Tok.Identifier:
      core.read();
      return extend(expr, new AttributeStep(core.tokens, dot, next), next);
    case Tok.Number:
      core.read();
      return extend(expr, legacyIndex(core, dot, next), next);
    case Tok.Star:
      core.read();
      return parseAttributeSplat(core, expr, from, dot, next);
    default:
      core.problem(core.range(next), 'Invalid attribute name', 'a name must follow the dot');
      core.recovering = true;
      return expr;
  }
}

/** `.0` for `[0]`. `.0.1` is one number token and would be ambiguous. */
function legacyIndex(core: ParserCore, dot: number, number: number, place = number): TraversalStep {
  const text = core.tokens.text(number);
  const range = core.tokens.between(dot, number);
  if (text.includes('.')) {
    const [first, second] = text.split('.');
    core.problem(
      core.range(place),
      'Invalid legacy index syntax',
      `two dotted indexes in a row; write [${first}][${second}]`,
    );
    return { kind: 'index', key: dynamicUnknown, range };
  }
  return { kind: 'index', key: numberLiteral(core, number), range };
}

function parseAttributeSplat(
  core: ParserCore,
  expr: Expression,
  from: Expression,
  dot: number,
  star: number,
): Expression {
  const steps: TraversalStep[] = [];
  const first = core.peek();
  let last = star;
  while (core.peekKind() === Tok.Dot) {
    const nextDot = core.read();
    const name = core.peek();
    const kind = core.kind(name);
    if (kind !== Tok.Identifier && kind !== Tok.Number) {
      if (kind === Tok.Star) {
        core.problemUnlessRecovering(
          core.range(name),
          'Nested splat expression not allowed',
          'a ".*" cannot be used inside another; write [*]',
        );
      } else {
        core.problemUnlessRecovering(core.range(star), 'Invalid attribute name', 'a name must follow the dot');
      }
      core.recovering = true;
      return expr;
    }
    core.read();
    if (kind === Tok.Number) steps.push(legacyIndex(core, nextDot, name, star));
    else steps.push(new AttributeStep(core.tokens, nextDot, name));
    last = name;
  }
  const marker = core.tokens.between(dot, star);
  const item: SymbolExpression = { kind: 'symbol', range: marker };
  const each: Expression =
    steps.length === 0 ? item : { kind: 'relative', source: item, steps, range: core.tokens.between(first, last) };
  return { kind: 'splat', source: expr, each, item, markerRange: marker, range: from.range.to(core.range(last)) };
}

function parseIndex(core: ParserCore, expr: Expression, from: Expression): Expression {
  const open = core.read();
  if (core.peekKind() === Tok.Star) return parseFullSplat(core, expr, from, open);
  core.pushNewlines(false);
  const before = core.problems;
  const key = core.expression();
  let close: number;
  if (core.broken(before)) close = core.recover(Tok.CloseBracket);
  else {
    close = core.read();
    if (core.kind(close) !== Tok.CloseBracket && !core.recovering) {
      close = core.recover(Tok.CloseBracket);
      core.problem(core.range(close), 'Missing close bracket on index', 'an index ends with "]" before this');
    }
  }
  core.popNewlines();
  const bracketRange = core.tokens.between(open, close);
  const literal = literalKey(key);
  if (literal !== undefined) return extend(expr, { kind: 'index', key: literal, range: bracketRange }, close);
  const range = from.range.to(bracketRange);
  return { kind: 'index', collection: expr, key, openRange: core.range(open), bracketRange, range };
}

function literalKey(key: Expression): Value | undefined {
  if (key.kind === 'literal') return key.value;
  const only = key.kind === 'template' && key.parts.length === 1 ? key.parts[0]! : undefined;
  return only?.kind === 'literal' ? only.value : undefined;
}

function parseFullSplat(core: ParserCore, expr: Expression, from: Expression, open: number): Expression {
  core.read();
  let close = core.read();
  if (core.kind(close) !== Tok.CloseBracket && !core.recovering) {
    close = core.recover(Tok.CloseBracket);
    core.problem(
      core.range(close),
      'Missing close bracket on splat index',
      'the "*" of a splat must be followed by "]"',
    );
  }
  const marker = core.tokens.between(open, close);
  const item: SymbolExpression = { kind: 'symbol', range: marker };
  if (!core.enter()) {
    core.leave();
    return expr;
  }
  const each = parseSteps(core, item);
  core.leave();
  return { kind: 'splat', source: expr, each, item, markerRange: marker, range: from.range.to(each.range) };
}

function parseTerm(core: ParserCore): Expression {
  const start = core.peek();
  switch (core.kind(start)) {
    case Tok.OpenParen:
      return parseParentheses(core, core.read());
    case Tok.Number: {
      core.read();
      if (isShortNumber(core, start)) return new NumberNode(core.tokens, start);
      return new LiteralNode(core.tokens, start, numberLiteral(core, start));
    }
    case Tok.Identifier:
      return parseName(core, core.read());
    case Tok.OpenQuote:
    case Tok.OpenHeredoc:
      return parseTemplateTerm(core);
    case Tok.Minus:
      return parseUnary(core, core.read(), '-');
    case Tok.Bang:
      return parseUnary(core, core.read(), '!');
    case Tok.OpenBracket:
      return parseTuple(core);
    case Tok.OpenBrace:
      return parseObject(core);
    default:
      return missingTerm(core, core.range(start), core.kind(start) === Tok.End);
  }
}

function missingTerm(core: ParserCore, range: SourceRange, atEnd: boolean): Expression {
  if (atEnd) core.problemUnlessRecovering(range, 'Missing expression', 'the file ends where an expression must start');
  else core.problemUnlessRecovering(range, 'Invalid expression', 'an expression must start here, and this starts none');
  core.recovering = true;
  return core.placeholder(range);
}

function parseUnary(core: ParserCore, symbol: number, operator: '-' | '!'): Expression {
  const symbolRange = core.range(symbol);
  if (!core.enter()) {
    core.leave();
    return core.placeholder(symbolRange);
  }
  // Binds tighter than any binary operator: -46+5 is (-46)+5.
  const operand = parseTraversal(core);
  core.leave();
  return { kind: 'unary', operator, operand, symbolRange, range: symbolRange.to(operand.range) };
}

function parseParentheses(core: ParserCore, open: number): Expression {
  core.pushNewlines(false);
  const before = core.problems;
  const inner = core.expression();
  if (core.problems > before) {
    core.recover(Tok.CloseParen);
    core.popNewlines();
    return inner;
  }
  const close = core.peek();
  if (core.kind(close) !== Tok.CloseParen) {
    core.problem(core.range(close), 'Unbalanced parentheses', 'a ")" must end the expression here');
    core.recovering = true;
  }
  core.read();
  core.popNewlines();
  return { kind: 'parentheses', inner, range: core.tokens.between(open, close) };
}

function parseName(core: ParserCore, token: number): Expression {
  const next = core.peekKind();
  if (next === Tok.OpenParen || next === Tok.DoubleColon) return parseCall(core, token);
  const name = core.tokens.name(token);
  if (name === 'true' || name === 'false') return new LiteralNode(core.tokens, token, boolValue(name === 'true'));
  if (name === 'null') return new LiteralNode(core.tokens, token, nullDynamic);
  return new VariableNode(core.tokens, token, name);
}

/** True of a number that cannot be wrong: digits alone, not many. */
function isShortNumber({ tokens: { buffer, starts, ends } }: ParserCore, token: number): boolean {
  const [start, end] = [starts[token]!, ends[token]!];
  if (end - start > 15) return false;
  for (let i = start; i < end; i++) if (buffer.bytes[i]! < 48 || buffer.bytes[i]! > 57) return false;
  return true;
}

function numberLiteral(core: ParserCore, token: number): Value {
  const number = parseNumber(core.tokens.text(token));
  if (number !== undefined) return numberValue(number);
  core.problem(core.range(token), 'Invalid number literal', `${core.tokens.text(token)} is not a number`);
  return dynamicUnknown;
}
