import { append } from '../lib/append.ts';
import { childContext, type EvalContext, type Evaluation, findBudget } from './context.ts';
import { unifyTypes } from './conversion-rules.ts';
import { convert } from './convert.ts';
import { type Diagnostic, errorAt } from './diagnostic.ts';
import { evaluateCall } from './evaluate-call.ts';
import { evaluateFor } from './evaluate-for.ts';
import { evaluateSplat } from './evaluate-splat.ts';
import { evaluateJoin, evaluateTemplate } from './evaluate-template.ts';
import type { Evaluator } from './evaluator.ts';
import { jsonValue } from './json-value.ts';
import { Budget, LimitError } from './limits.ts';
import { binaryOperators, unaryOperators } from './operators.ts';
import type { SourceRange } from './source.ts';
import { suggestion } from './suggest.ts';
import type {
  BinaryExpression,
  ConditionalExpression,
  Expression,
  ObjectExpression,
  ObjectItem,
  SymbolExpression,
  TraversalStep,
  UnaryExpression,
  VariableExpression,
} from './syntax.ts';
import { indexOf, step } from './traverse.ts';
import { boolType, dynamicType, stringType, type Type, typeName, typesEqual } from './type.ts';
import {
  asEntries,
  asItems,
  asString,
  dynamicUnknown,
  listValue,
  nullValue,
  objectValue,
  setValue,
  stringValue,
  tupleValue,
  unknownValue,
  type Value,
  valuesEqual,
} from './value.ts';

const noProblems: readonly Diagnostic[] = [];

/**
 * Value and problems of an expression. Never throws on any input: what asks for too many steps, too much memory or too
 * deep a nesting ends with a diagnostic.
 */
export function evaluate(expr: Expression, context: EvalContext): Evaluation {
  const budget = findBudget(context);
  // Most attributes are a text as it stands.
  const text = expr.kind === 'template' ? expr.text : undefined;
  if (text !== undefined && budget?.trySpend(1) === true) return { value: text, diagnostics: noProblems };
  const evaluator = new TreeEvaluator(budget ?? new Budget());
  try {
    return { value: evaluator.value(expr, context), diagnostics: evaluator.diagnostics };
  } catch (error) {
    const what =
      error instanceof LimitError ? error.message : error instanceof RangeError ? 'too deep a nesting' : undefined;
    if (what === undefined) throw error;
    const problem = errorAt(expr.range, 'Limit reached', `evaluating this asks for ${what}`);
    return { value: dynamicUnknown, diagnostics: [...evaluator.diagnostics, problem] };
  }
}

/** One evaluation: its problems so far, what it may still cost, and what anonymous symbols stand for. */
class TreeEvaluator implements Evaluator {
  diagnostics: Diagnostic[] = [];
  readonly budget: Budget;
  #symbols: Map<SymbolExpression, Value> | undefined;

  constructor(budget: Budget) {
    this.budget = budget;
  }

  /** Made when a splat needs it: most evaluations have none. */
  get symbols(): Map<SymbolExpression, Value> {
    this.#symbols ??= new Map();
    return this.#symbols;
  }

  problem(range: SourceRange, summary: string, detail: string): void {
    this.diagnostics.push(errorAt(range, summary, detail));
  }

  value(expr: Expression, context: EvalContext): Value {
    this.budget.spend(1);
    switch (expr.kind) {
      case 'literal':
        return expr.value;
      case 'variable':
        return this.#variable(expr, context);
      case 'relative':
        return this.#steps(this.value(expr.source, context), expr.steps);
      case 'call':
        return evaluateCall(this, expr, context);
      case 'conditional':
        return this.#conditional(expr, context);
      case 'binary':
        return this.#binaryChain(expr, context);
      case 'unary':
        return this.#unary(expr, context);
      case 'index': {
        const collection = this.value(expr.collection, context);
        const part = indexOf(collection, this.value(expr.key, context), expr.bracketRange);
        return this.#part(part);
      }
      case 'tuple':
        return tupleValue(expr.items.map((item) => this.value(item, context)));
      case 'object':
        return this.#object(expr, context);
      case 'for':
        return evaluateFor(this, expr, context);
      case 'splat':
        return evaluateSplat(this, expr, context);
      case 'symbol':
        return this.symbols.get(expr) ?? dynamicUnknown;
      case 'template':
        return evaluateTemplate(this, expr, context);
      case 'join':
        return evaluateJoin(this, expr, context);
      case 'wrap':
      case 'parentheses':
        return this.value(expr.inner, context);
      case 'scoped':
        return this.value(expr.inner, childContext(context, expr.variables));
      default:
        return jsonValue(this, expr.node, context);
    }
  }

  #part(part: ReturnType<typeof indexOf>): Value {
    if (part.problem === undefined) return part.value;
    this.diagnostics.push(part.problem);
    return dynamicUnknown;
  }

  #steps(from: Value, steps: readonly TraversalStep[]): Value {
    let value = from;
    for (const traversal of steps) {
      const part = step(value, traversal);
      if (part.problem !== undefined) return this.#part(part);
      value = part.value;
    }
    return value;
  }

  #variable(expr: VariableExpression, context: EvalContext): Value {
    let handler: EvalContext['undefinedVariable'];
    let names = false;
    for (let at: EvalContext | undefined = context; at !== undefined; at = at.parent) {
      handler ??= at.undefinedVariable;
      if (at.variables === undefined) continue;
      names = true;
      const value = at.variables.get(expr.name);
      if (value === undefined) continue;
      const [first] = expr.steps;
      if (first?.kind === 'attribute' && lacks(value, first.name)) return this.#lacking(expr, first, context, value);
      return this.#steps(value, expr.steps);
    }
    if (handler !== undefined) {
      const { value, diagnostics } = handler(expr);
      append(this.diagnostics, diagnostics);
      return value;
    }
    if (!names) this.problem(expr.nameRange, 'Variables not allowed', 'names of variables cannot be used here');
    else {
      const hint = suggestion(expr.name, namesInScope(context));
      this.problem(expr.nameRange, 'Unknown variable', `there is no variable ${JSON.stringify(expr.name)}.${hint}`);
    }
    return dynamicUnknown;
  }

  /** A variable or local that is not there: said with what the owner of the names knows. */
  #lacking(
    expr: VariableExpression,
    first: TraversalStep & { kind: 'attribute' },
    context: EvalContext,
    value: Value,
  ): Value {
    for (let at: EvalContext | undefined = context; at !== undefined; at = at.parent) {
      const known = at.missing?.(expr.name, first.name);
      if (known === undefined) continue;
      const problem = errorAt(first.range, 'Unsupported attribute', known.detail);
      this.diagnostics.push(known.echo === true ? { ...problem, echo: true } : problem);
      return dynamicUnknown;
    }
    return this.#steps(value, expr.steps);
  }

  /** Long sums are deep to the left: their operands are taken one after the other, without recursion. */
  #binaryChain(expr: BinaryExpression, context: EvalContext): Value {
    const chain: BinaryExpression[] = [];
    let first: Expression = expr;
    while (first.kind === 'binary') {
      chain.push(first);
      first = first.left;
    }
    const start = this.diagnostics.length;
    let value = this.value(first, context);
    for (let i = chain.length - 1; i >= 0; i--) value = this.#binary(chain[i]!, value, context, start);
    return value;
  }

  #binary(expr: BinaryExpression, leftValue: Value, context: EvalContext, start: number): Value {
    const operator = binaryOperators[expr.operator];
    this.budget.spend(1 + ((leftValue.size >> 4) | 0));
    const rightValue = this.value(expr.right, context);
    const left = this.#operand(expr.left, leftValue, operator.operand, 'left');
    const right = this.#operand(expr.right, rightValue, operator.operand, 'right');
    if (this.diagnostics.length > start || left === undefined || right === undefined)
      return unknownValue(operator.result);
    if (operator.operand.kind !== 'dynamic') {
      if (left.state === 'null' || right.state === 'null') {
        return this.#failed(expr.range, `${expr.operator} cannot be applied to null`, operator.result);
      }
      if (left.state === 'unknown' || right.state === 'unknown') return unknownValue(operator.result);
    }
    const detail = `${expr.operator} of these two numbers has no result`;
    return operator.apply(left, right) ?? this.#failed(expr.range, detail, operator.result);
  }

  #failed(range: SourceRange, detail: string, type: Type): Value {
    this.problem(range, 'Operation failed', detail);
    return unknownValue(type);
  }

  #operand(expr: Expression, value: Value, type: Type, side: string): Value | undefined {
    const result = convert(value, type);
    if (result.error === undefined) return result.value;
    this.problem(expr.range, 'Invalid operand', `the ${side} operand is unsuitable: ${result.error}`);
    return undefined;
  }

  #unary(expr: UnaryExpression, context: EvalContext): Value {
    const operator = unaryOperators[expr.operator];
    const start = this.diagnostics.length;
    const operand = this.#operand(expr.operand, this.value(expr.operand, context), operator.type, 'only');
    if (operand === undefined || this.diagnostics.length > start) return unknownValue(operator.type);
    if (operand.state === 'null')
      return this.#failed(expr.range, `${expr.operator} cannot be applied to null`, operator.type);
    return operand.state === 'unknown' ? unknownValue(operator.type) : operator.apply(operand);
  }

  /** The value of an expression, its problems apart. */
  separately(expr: Expression, context: EvalContext): Evaluation {
    const outer = this.diagnostics;
    this.diagnostics = [];
    const value = this.value(expr, context);
    const { diagnostics } = this;
    this.diagnostics = outer;
    return { value, diagnostics };
  }

  /** Both arms are evaluated, because the type of the result depends on both; problems count of the taken one. */
  #conditional(expr: ConditionalExpression, context: EvalContext): Value {
    const whenTrue = this.separately(expr.whenTrue, context);
    const whenFalse = this.separately(expr.whenFalse, context);
    const type = commonType(whenTrue.value, whenFalse.value);
    if (type === undefined) {
      const detail = `the value for true is ${typeName(whenTrue.value.type)}, the one for false is ${typeName(whenFalse.value.type)}, and both must have a common type`;
      this.problem(expr.whenTrue.range.to(expr.whenFalse.range), 'Inconsistent conditional result types', detail);
      return dynamicUnknown;
    }
    const condition = this.value(expr.condition, context);
    if (condition.state === 'null') {
      this.problem(expr.condition.range, 'Null condition', 'the condition is null, and must be true or false');
      return unknownValue(type);
    }
    if (condition.state === 'unknown') return undecided(whenTrue.value, whenFalse.value, type);
    const decided = convert(condition, boolType);
    if (decided.error !== undefined) {
      this.problem(expr.condition.range, 'Incorrect condition type', 'the condition must be true or false');
      return unknownValue(type);
    }
    const taken = decided.value.data === true ? whenTrue : whenFalse;
    append(this.diagnostics, taken.diagnostics);
    if (type.kind === 'dynamic') return mixesDynamic(whenTrue.value, whenFalse.value) ? dynamicUnknown : taken.value;
    const result = convert(taken.value, type);
    if (result.error === undefined) return result.value;
    const range = decided.value.data === true ? expr.whenTrue.range : expr.whenFalse.range;
    this.problem(range, 'Inconsistent conditional result types', `this value has the wrong type: ${result.error}`);
    return unknownValue(type);
  }

  #object(expr: ObjectExpression, context: EvalContext): Value {
    const entries = new Map<string, Value>();
    let complete = true;
    for (const item of expr.items) {
      const key = this.#objectKey(item, context);
      const value = this.value(item.value, context);
      if (key === undefined) {
        complete = false;
        continue;
      }
      if (key.state === 'null') {
        this.problem(item.value.range, 'Null value as key', 'null cannot be a key');
        complete = false;
        continue;
      }
      const name = convert(key, stringType);
      if (name.error !== undefined) {
        this.problem(item.key.range, 'Incorrect key type', `this value cannot be a key: ${name.error}`);
        complete = false;
      } else if (name.value.state !== 'known') complete = false;
      else entries.set(asString(name.value), value);
    }
    return complete ? objectValue(entries) : dynamicUnknown;
  }

  /** A bare name is the key itself; `a.b` could be meant either way and is refused. */
  #objectKey(item: ObjectItem, context: EvalContext): Value | undefined {
    const { key } = item;
    if (!item.keyIsExpression && key.kind === 'variable') {
      if (key.steps.length === 0) return stringValue(key.name);
      this.problem(
        key.range,
        'Ambiguous attribute key',
        'for a reference put this key into parentheses, for a name with dots into quotes',
      );
      return undefined;
    }
    if (!item.keyIsExpression && key.kind === 'literal') {
      if (key.value.type.kind === 'bool') return stringValue(String(key.value.data));
      if (key.value.state === 'null') return stringValue('null');
    }
    const start = this.diagnostics.length;
    const value = this.value(key, context);
    return this.diagnostics.length > start ? undefined : value;
  }
}

function* namesInScope(context: EvalContext): Iterable<string> {
  for (let at: EvalContext | undefined = context; at !== undefined; at = at.parent) yield* at.variables?.keys() ?? [];
}

const lacks = (value: Value, name: string): boolean =>
  value.state === 'known' && value.type.kind === 'object' && !value.type.attributes.has(name);

/** The type of a conditional; nothing when its arms have none in common. */
function commonType(whenTrue: Value, whenFalse: Value): Type | undefined {
  if (isBareNull(whenTrue)) return whenFalse.type;
  if (isBareNull(whenFalse)) return whenTrue.type;
  if (whenTrue.type.kind === 'dynamic' || whenFalse.type.kind === 'dynamic') return dynamicType;
  return unifyTypes([whenTrue.type, whenFalse.type]);
}

/** What is known of a conditional whose condition is not: both arms are null, one number, or lists of one length. */
function undecided(a: Value, b: Value, type: Type): Value {
  if (a.state === 'null' && b.state === 'null') return nullValue(type);
  if (a.state !== 'known' || b.state !== 'known' || !typesEqual(a.type, b.type)) return unknownValue(type);
  if (type.kind === 'number') return valuesEqual(a, b) ? a : unknownValue(type);
  if (type.kind !== 'list' && type.kind !== 'set' && type.kind !== 'map') return unknownValue(type);
  const length = type.kind === 'map' ? asEntries(a).size : asItems(a).length;
  if (length !== (type.kind === 'map' ? asEntries(b).size : asItems(b).length)) return unknownValue(type);
  if (length === 0) return a;
  const items = Array.from({ length }, () => unknownValue(type.element));
  if (type.kind === 'list') return listValue(items, type.element);
  return type.kind === 'set' && length === 1 ? setValue(items, type.element) : unknownValue(type);
}

const isBareNull = (value: Value): boolean => value.state === 'null' && value.type.kind === 'dynamic';

/** Collections one of which has parts of unknown type. */
const mixesDynamic = (a: Value, b: Value): boolean => a.type.kind !== 'dynamic' && b.type.kind !== 'dynamic';
