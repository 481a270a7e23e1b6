// Nodes of the native syntax. They keep the tokens they span and make their ranges when asked: a large file has millions of ranges,
// and nobody looks at them but for a problem. Spreading such a node would lose its ranges.
import { parseNumber } from './number-parse.ts';
import type { SourceFile, SourceRange } from './source.ts';
import type {
  Attribute,
  Block,
  Body,
  CallExpression,
  Expression,
  LiteralExpression,
  TemplateExpression,
  TraversalStep,
  TupleExpression,
  VariableExpression,
} from './syntax.ts';
import type { TokenList } from './tokens.ts';
import { numberValue, stringValue, type Value } from './value.ts';

/** From token `first`, its name, to token `last`. */
export class AttributeNode implements Attribute {
  readonly name: string;
  readonly expr: Expression;
  readonly tokens: TokenList;
  readonly first: number;
  readonly last: number;

  constructor(tokens: TokenList, first: number, last: number, expr: Expression) {
    this.name = tokens.name(first);
    this.expr = expr;
    this.tokens = tokens;
    this.first = first;
    this.last = last;
  }

  get range(): SourceRange {
    return this.tokens.between(this.first, this.last);
  }

  get nameRange(): SourceRange {
    return this.tokens.range(this.first);
  }
}

/** The tokens of a block: its type, pairs of first and last for each label, its braces. */
export interface BlockTokens {
  readonly type: number;
  readonly labels: readonly number[];
  readonly open: number;
  readonly close: number;
}

export class BlockNode implements Block {
  readonly type: string;
  readonly labels: readonly string[];
  readonly body: Body;
  readonly tokens: TokenList;
  readonly first: number;
  readonly labelTokens: readonly number[];
  readonly open: number;
  readonly close: number;

  constructor(tokens: TokenList, at: BlockTokens, labels: readonly string[], body: Body) {
    this.type = tokens.name(at.type);
    this.labels = labels;
    this.body = body;
    this.tokens = tokens;
    this.first = at.type;
    this.labelTokens = at.labels;
    this.open = at.open;
    this.close = at.close;
  }

  get typeRange(): SourceRange {
    return this.tokens.range(this.first);
  }

  get labelRanges(): readonly SourceRange[] {
    return this.labels.map((_, i) => this.tokens.between(this.labelTokens[2 * i]!, this.labelTokens[2 * i + 1]!));
  }

  get openBraceRange(): SourceRange {
    return this.tokens.range(this.open);
  }

  get closeBraceRange(): SourceRange {
    return this.tokens.range(this.close);
  }

  get headerRange(): SourceRange {
    return this.tokens.between(this.first, this.labelTokens.at(-1) ?? this.first);
  }

  get range(): SourceRange {
    return this.tokens.between(this.first, this.close);
  }
}

const noAttributes: ReadonlyMap<string, Attribute> = new Map();
const noBlocks: readonly Block[] = [];

export class BodyNode implements Body {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
  readonly tokens: TokenList;
  readonly first: number;
  readonly last: number;

  constructor(
    tokens: TokenList,
    first: number,
    last: number,
    attributes: ReadonlyMap<string, Attribute> = noAttributes,
    blocks: readonly Block[] = noBlocks,
  ) {
    this.attributes = attributes;
    this.blocks = blocks;
    this.tokens = tokens;
    this.first = first;
    this.last = last;
  }

  get range(): SourceRange {
    return this.tokens.between(this.first, this.last);
  }

  get missingItemRange(): SourceRange {
    return this.tokens.range(this.first).atStart();
  }
}

/** One token that stands for a value. */
abstract class TokenNode {
  readonly tokens: TokenList;
  readonly token: number;

  constructor(tokens: TokenList, token: number) {
    this.tokens = tokens;
    this.token = token;
  }

  get range(): SourceRange {
    return this.tokens.range(this.token);
  }
}

export class LiteralNode extends TokenNode implements LiteralExpression {
  readonly kind = 'literal';
  readonly value: Value;

  constructor(tokens: TokenList, token: number, value: Value) {
    super(tokens, token);
    this.value = value;
  }
}

/** Most numbers of a file are among these; one in a loop is asked for again and again. */
const smallNumbers = Array.from({ length: 1025 }, (_, number) => numberValue(parseNumber(`${number}`)!));

/** A number of few digits: its value is made when asked for, which is less to keep. */
export class NumberNode extends TokenNode implements LiteralExpression {
  readonly kind = 'literal';

  get value(): Value {
    const text = this.tokens.text(this.token);
    const small = smallNumbers[Number(text)];
    return small ?? numberValue(parseNumber(text)!);
  }
}

/** A quoted string that is one literal, nearly all of them: the tokens of its quotes stand around that of its text. */
export class StringNode extends TokenNode implements TemplateExpression {
  readonly kind = 'template';
  /** What the text stands for, where it has escapes. */
  readonly unescaped: string | undefined;

  constructor(tokens: TokenList, token: number, unescaped: string | undefined) {
    super(tokens, token);
    this.unescaped = unescaped;
  }

  get text(): Value {
    return stringValue(this.unescaped ?? this.tokens.text(this.token));
  }

  get parts(): readonly [LiteralExpression] {
    return [new LiteralNode(this.tokens, this.token, this.text)];
  }

  override get range(): SourceRange {
    return this.tokens.between(this.token - 1, this.token + 1);
  }
}

/** `.name` after its dot. */
export class AttributeStep {
  readonly kind = 'attribute';
  readonly name: string;
  readonly tokens: TokenList;
  readonly dot: number;
  readonly last: number;

  constructor(tokens: TokenList, dot: number, last: number) {
    this.name = tokens.name(last);
    this.tokens = tokens;
    this.dot = dot;
    this.last = last;
  }

  get range(): SourceRange {
    return this.tokens.between(this.dot, this.last);
  }
}

const noSteps: readonly TraversalStep[] = [];

/** A name and its steps, to token `last`. */
export class VariableNode implements VariableExpression {
  readonly kind = 'variable';
  readonly name: string;
  steps: readonly TraversalStep[] = noSteps;
  readonly tokens: TokenList;
  readonly first: number;
  last: number;

  constructor(tokens: TokenList, token: number, name: string) {
    this.name = name;
    this.tokens = tokens;
    this.first = token;
    this.last = token;
  }

  /** With one more step, which ends with token `last`. */
  extend(step: TraversalStep, last: number): void {
    if (this.steps.length === 0) this.steps = [step];
    else (this.steps as TraversalStep[]).push(step);
    this.last = last;
  }

  get nameRange(): SourceRange {
    return this.tokens.range(this.first);
  }

  get range(): SourceRange {
    return this.tokens.between(this.first, this.last);
  }

  get buffer(): SourceFile {
    return this.tokens.buffer;
  }

  get bufferStart(): number {
    return this.tokens.starts[this.first]!;
  }

  get bufferEnd(): number {
    return this.tokens.ends[this.last]!;
  }
}

/** The tokens of a call: its name, which may have several, and its parentheses. */
export interface CallTokens {
  readonly first: number;
  readonly last: number;
  readonly open: number;
  readonly close: number;
}

export class CallNode implements CallExpression {
  readonly kind = 'call';
  readonly name: string;
  readonly args: readonly Expression[];
  readonly expandFinal: boolean;
  readonly tokens: TokenList;
  readonly at: CallTokens;

  constructor(tokens: TokenList, at: CallTokens, name: string, args: readonly Expression[], expandFinal: boolean) {
    this.name = name;
    this.args = args;
    this.expandFinal = expandFinal;
    this.tokens = tokens;
    this.at = at;
  }

  get nameRange(): SourceRange {
    return this.tokens.between(this.at.first, this.at.last);
  }

  get openRange(): SourceRange {
    return this.tokens.range(this.at.open);
  }

  get closeRange(): SourceRange {
    return this.tokens.range(this.at.close);
  }

  get range(): SourceRange {
    return this.tokens.between(this.at.first, this.at.close);
  }
}

export class TupleNode implements TupleExpression {
  readonly kind = 'tuple';
  readonly items: readonly Expression[];
  readonly tokens: TokenList;
  readonly open: number;
  readonly close: number;

  constructor(tokens: TokenList, open: number, close: number, items: readonly Expression[]) {
    this.items = items;
    this.tokens = tokens;
    this.open = open;
    this.close = close;
  }

  get openRange(): SourceRange {
    return this.tokens.range(this.open);
  }

  get range(): SourceRange {
    return this.tokens.between(this.open, this.close);
  }
}

/** A list that is kept, without the room to grow that pushing gave it. */
export const exact = <T>(list: readonly T[]): readonly T[] => list.slice();
