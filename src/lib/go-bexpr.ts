/**
 * Filter expressions as Nomad's lists take them, e.g. `Status == "running" and Meta["team"] in "a b"`.
 * The language is that of go-bexpr: ==, !=, in, not in, contains, matches, is empty, any/all, and, or, not, parentheses.
 */
export { compileFilter, type Filter } from './go-bexpr/evaluate.ts';
export { parseExpression } from './go-bexpr/parse.ts';
export { anyShape, type Shape } from './go-bexpr/shape.ts';
