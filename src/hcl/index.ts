// The HCL2 language: parse, evaluate, functions, diagnostics.
export { bodyContent, checkLabels, justAttributes } from './body-content.ts';
export {
  childContext,
  type EvalContext,
  type Evaluation,
  type FunctionTable,
  findBudget,
  type MissingAttribute,
  type SpecialFunction,
} from './context.ts';
export { canConvert, unifyTypes } from './conversion-rules.ts';
export { type Conversion, convert } from './convert.ts';
export {
  type Diagnostic,
  echoAt,
  errorAt,
  formatDiagnostic,
  hasErrors,
  renderDiagnostic,
  tellingDiagnostics,
} from './diagnostic.ts';
export { type DynamicOptions, expandDynamic, expandedContent, scopeBody } from './dynamic.ts';
export { evaluate } from './evaluate.ts';
export { format } from './format.ts';
export { FunctionError, type HclFunction, type Parameter } from './functions/function.ts';
export type { FileAccess, FunctionHost, HashName, PathKind } from './functions/host.ts';
export { standardFunctions } from './functions/index.ts';
export { countGraphemes, splitGraphemes } from './graphemes.ts';
export { parseHcl1 } from './hcl1.ts';
export { Budget, LimitError, maxSteps, maxValueSize } from './limits.ts';
export type { HclNumber } from './number.ts';
export { fromFloat, fromInteger, isInteger, toFloat, truncate } from './number.ts';
export { parseNumber } from './number-parse.ts';
export { numberText } from './number-text.ts';
export { compareText } from './order.ts';
export { type ParsedExpression, type ParsedFile, parseExpression, parseNative, parseTemplate } from './parse.ts';
export { looksLikeJson, parse, parseJson } from './parse-any.ts';
export { maxNesting } from './parser-core.ts';
export { runtimeInterpolation } from './runtime-interpolation.ts';
export type { BodyContent, BodySchema } from './schema.ts';
export { type Position, SourceFile, SourceRange } from './source.ts';
export { nearestName, suggestion } from './suggest.ts';
export * from './syntax.ts';
export { type JsonData, jsonText, toJson } from './to-json.ts';
export { attributeOf, indexOf } from './traverse.ts';
export * from './type.ts';
export { asKeyword, parseTypeConstraint, type TypeConstraintOptions } from './type-constraint.ts';
export * from './value.ts';
export { referencedVariables } from './variables.ts';
