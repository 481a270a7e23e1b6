// Nodes of the native syntax. They keep the tokens they span and make their ranges when asked: a large file has millions of ranges,
// and nobody looks at them but for a problem. Spreading such a node would lose its ranges.
import type { SourceRange } from './source.ts';
import type { Attribute, Block, Body, Expression, LiteralExpression, TemplateExpression } from './syntax.ts';
import type { TokenList } from './tokens.ts';
import type { Value } from './value.ts';

/** From token `first`, its name, to token `last`. */
export class AttributeNode implements Attribute {
  readonly name: string;
  readonly expr: Expression;
  readonly tokens: TokenList;
  readonly first: number;
  readonly last: number;

  constructor(tokens: TokenList, first: number, last: number, expr: Expression) {
    this.name = tokens.text(first);
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
    this.type = tokens.text(at.type);
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

export class LiteralNode implements LiteralExpression {
  readonly kind = 'literal';
  readonly value: Value;
  readonly tokens: TokenList;
  readonly token: number;

  constructor(tokens: TokenList, token: number, value: Value) {
    this.value = value;
    this.tokens = tokens;
    this.token = token;
  }

  get range(): SourceRange {
    return this.tokens.range(this.token);
  }
}

/** A quoted string that is one literal, nearly all of them: the tokens of its quotes stand around that of its text. */
export class StringNode implements TemplateExpression {
  readonly kind = 'template';
  readonly text: Value;
  readonly tokens: TokenList;
  readonly token: number;

  constructor(tokens: TokenList, token: number, text: Value) {
    this.text = text;
    this.tokens = tokens;
    this.token = token;
  }

  get parts(): readonly [LiteralExpression] {
    return [new LiteralNode(this.tokens, this.token, this.text)];
  }

  get range(): SourceRange {
    return this.tokens.between(this.token - 1, this.token + 1);
  }
}
