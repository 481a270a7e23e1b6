import type { EvalContext, Evaluation } from './context.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { Budget } from './limits.ts';
import type { SourceRange } from './source.ts';
import type { Expression, SymbolExpression } from './syntax.ts';
import type { Value } from './value.ts';

/** One evaluation in progress, as the parts of the evaluator see it. */
export interface Evaluator {
  /** Problems so far: a part has some when this has grown. */
  readonly diagnostics: Diagnostic[];
  readonly budget: Budget;
  /** What the anonymous symbols of splats stand for at the moment. */
  readonly symbols: Map<SymbolExpression, Value>;
  problem(range: SourceRange, summary: string, detail: string): void;
  value(expr: Expression, context: EvalContext): Value;
  /** The value of an expression, its problems apart. */
  separately(expr: Expression, context: EvalContext): Evaluation;
}
