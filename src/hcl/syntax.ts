import type { SourceFile, SourceRange } from './source.ts';
import type { Value } from './value.ts';

/** One step from a value to a part of it: `.name` or `[key]` with a key that is a literal. */
export type TraversalStep =
  | { readonly kind: 'attribute'; readonly name: string; readonly range: SourceRange }
  | { readonly kind: 'index'; readonly key: Value; readonly range: SourceRange };

export interface LiteralExpression {
  readonly kind: 'literal';
  readonly value: Value;
  readonly range: SourceRange;
}

/** A name and the steps after it, like `attr.kernel.name`. */
export interface VariableExpression {
  readonly kind: 'variable';
  readonly name: string;
  readonly nameRange: SourceRange;
  readonly steps: readonly TraversalStep[];
  readonly range: SourceRange;
  /** The text that was scanned and the place of this expression in it; not the file for a template inside JSON. */
  readonly buffer: SourceFile;
  readonly bufferStart: number;
  readonly bufferEnd: number;
}

/** Steps after any other expression, like `f().x`. */
export interface RelativeExpression {
  readonly kind: 'relative';
  readonly source: Expression;
  readonly steps: TraversalStep[];
  range: SourceRange;
}

export interface CallExpression {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expression[];
  /** True when the last argument is a sequence of arguments: `f(list...)`. */
  readonly expandFinal: boolean;
  readonly nameRange: SourceRange;
  readonly openRange: SourceRange;
  readonly closeRange: SourceRange;
  readonly range: SourceRange;
}

export interface ConditionalExpression {
  readonly kind: 'conditional';
  readonly condition: Expression;
  readonly whenTrue: Expression;
  readonly whenFalse: Expression;
  readonly range: SourceRange;
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '&&' | '||';

export interface BinaryExpression {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
  readonly range: SourceRange;
}

export interface UnaryExpression {
  readonly kind: 'unary';
  readonly operator: '-' | '!';
  readonly operand: Expression;
  readonly symbolRange: SourceRange;
  readonly range: SourceRange;
}

export interface IndexExpression {
  readonly kind: 'index';
  readonly collection: Expression;
  readonly key: Expression;
  readonly openRange: SourceRange;
  readonly bracketRange: SourceRange;
  readonly range: SourceRange;
}

export interface TupleExpression {
  readonly kind: 'tuple';
  readonly items: readonly Expression[];
  readonly openRange: SourceRange;
  readonly range: SourceRange;
}

export interface ObjectItem {
  readonly key: Expression;
  /** True for `(key) = …`: the key is an expression even if it looks like a name. */
  readonly keyIsExpression: boolean;
  readonly value: Expression;
}

export interface ObjectExpression {
  readonly kind: 'object';
  readonly items: readonly ObjectItem[];
  readonly openRange: SourceRange;
  readonly range: SourceRange;
}

export interface ForExpression {
  readonly kind: 'for';
  readonly keyName: string | undefined;
  readonly valueName: string;
  readonly collection: Expression;
  /** Present when an object is made. */
  readonly key: Expression | undefined;
  readonly value: Expression;
  readonly condition: Expression | undefined;
  readonly makesObject: boolean;
  readonly group: boolean;
  readonly openRange: SourceRange;
  readonly range: SourceRange;
}

/** `source[*].x` or `source.*.x`: `each` is evaluated with `item` standing for one element. */
export interface SplatExpression {
  readonly kind: 'splat';
  readonly source: Expression;
  readonly each: Expression;
  readonly item: SymbolExpression;
  readonly markerRange: SourceRange;
  readonly range: SourceRange;
}

export interface SymbolExpression {
  readonly kind: 'symbol';
  readonly range: SourceRange;
}

/** Text and expressions in a row; the result is always a string. */
export interface TemplateExpression {
  readonly kind: 'template';
  /** Set when the template is known to be this text and nothing else. */
  readonly text?: Value;
  readonly parts: readonly Expression[];
  readonly range: SourceRange;
}

/** A template that is one interpolation and nothing else: the result keeps its type. */
export interface WrapExpression {
  readonly kind: 'wrap';
  readonly inner: Expression;
  readonly range: SourceRange;
}

/** The results of a `%{ for }` in one string. */
export interface JoinExpression {
  readonly kind: 'join';
  readonly tuple: ForExpression;
  readonly range: SourceRange;
}

export interface ParenthesesExpression {
  readonly kind: 'parentheses';
  readonly inner: Expression;
  readonly range: SourceRange;
}

/** An expression inside a dynamic block: the iterator's names come first. */
export interface ScopedExpression {
  readonly kind: 'scoped';
  readonly inner: Expression;
  readonly variables: ReadonlyMap<string, Value>;
  readonly range: SourceRange;
}

/** A value of the JSON syntax; strings in it are templates. */
export interface JsonExpression {
  readonly kind: 'json';
  readonly node: JsonNode;
  readonly range: SourceRange;
}

export type Expression =
  | LiteralExpression
  | VariableExpression
  | RelativeExpression
  | CallExpression
  | ConditionalExpression
  | BinaryExpression
  | UnaryExpression
  | IndexExpression
  | TupleExpression
  | ObjectExpression
  | ForExpression
  | SplatExpression
  | SymbolExpression
  | TemplateExpression
  | WrapExpression
  | JoinExpression
  | ParenthesesExpression
  | ScopedExpression
  | JsonExpression;

export interface JsonProperty {
  readonly name: string;
  readonly nameRange: SourceRange;
  readonly value: JsonNode;
}

export type JsonNode =
  | { readonly kind: 'null' | 'invalid'; readonly range: SourceRange }
  | { readonly kind: 'bool'; readonly value: boolean; readonly range: SourceRange }
  | { readonly kind: 'number'; readonly text: string; readonly range: SourceRange }
  | { readonly kind: 'string'; readonly value: string; readonly range: SourceRange }
  | {
      readonly kind: 'array';
      readonly items: readonly JsonNode[];
      readonly openRange: SourceRange;
      readonly range: SourceRange;
    }
  | {
      readonly kind: 'object';
      readonly properties: readonly JsonProperty[];
      readonly openRange: SourceRange;
      readonly closeRange: SourceRange;
      readonly range: SourceRange;
    };

export interface Attribute {
  readonly name: string;
  readonly expr: Expression;
  readonly range: SourceRange;
  readonly nameRange: SourceRange;
}

export interface Block {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: Body;
  readonly typeRange: SourceRange;
  readonly labelRanges: readonly SourceRange[];
  readonly openBraceRange: SourceRange;
  readonly closeBraceRange: SourceRange;
  /** The header: type and labels; in JSON the opening brace. */
  readonly headerRange: SourceRange;
  /** From the type to the closing brace. */
  readonly range: SourceRange;
}

/**
 * The inside of a file or block. In the JSON syntax it depends on the schema what is an attribute and what is a block:
 * there `attributes` and `blocks` are empty, `json` is set, and `bodyContent` tells them apart.
 */
export interface Body {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
  readonly range: SourceRange;
  /** Where something that is missing would have to be written. */
  readonly missingItemRange: SourceRange;
  readonly json?: JsonNode | undefined;
  /** Names of enclosing dynamic blocks, for JSON bodies only. */
  readonly scope?: ReadonlyMap<string, Value> | undefined;
}

/** A comment with its text, `#`, `//` or both ends of a block comment included. */
export interface Comment {
  readonly text: string;
  readonly range: SourceRange;
}

/** The range that problems of the value as a whole point at: the operator or opening bracket that makes it. */
export function startRange(expr: Expression): SourceRange {
  switch (expr.kind) {
    case 'call':
      return expr.nameRange.to(expr.openRange);
    case 'conditional':
      return startRange(expr.condition);
    case 'binary': {
      let left: Expression = expr;
      while (left.kind === 'binary') left = left.left;
      return startRange(left);
    }
    case 'unary':
      return expr.symbolRange;
    case 'index':
    case 'tuple':
    case 'object':
    case 'for':
      return expr.openRange;
    case 'splat':
      return expr.markerRange;
    case 'template':
      return expr.parts[0] === undefined ? expr.range : startRange(expr.parts[0]);
    case 'join':
      return expr.tuple.openRange;
    case 'parentheses':
    case 'scoped':
      return startRange(expr.inner);
    case 'json':
      return 'openRange' in expr.node ? expr.node.openRange : expr.range;
    default:
      return expr.range;
  }
}

/** The expression without the scope that a dynamic block put around it. */
export function unwrapScope(expr: Expression): Expression {
  return expr.kind === 'scoped' ? unwrapScope(expr.inner) : expr;
}
