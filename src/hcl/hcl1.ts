import { type Diagnostic, errorAt } from './diagnostic.ts';
import { type Hcl1Kind, Hcl1Scanner, type Hcl1Token } from './hcl1-scan.ts';
import { parseNumber } from './number-parse.ts';
import type { ParsedFile } from './parse.ts';
import { looksLikeJson, parseJson } from './parse-any.ts';
import { maxNesting } from './parser-core.ts';
import { SourceFile, type SourceRange } from './source.ts';
import type { Attribute, Block, Body, Expression, ObjectItem } from './syntax.ts';
import { boolValue, dynamicUnknown, integerValue, numberValue, stringValue, type Value } from './value.ts';

/**
 * Reads a file in the grammar of the older HCL, as the agent's configuration, policies and volume files are written:
 * `key = value`, `key { }`, `key "label" { }`, keys in quotes, several items on a line, lists with a comma at the end.
 * The tree is the same as that of the newer grammar, but no value is an expression: `${…}` in a text is kept. Of a key
 * that is set twice the last value counts. JSON is read as such.
 */
export function parseHcl1(source: string | Uint8Array, filename: string): ParsedFile {
  if (looksLikeJson(source)) return parseJson(source, filename);
  const file = new SourceFile(filename, source);
  const parser = new Hcl1Parser(file);
  const body = parser.file();
  return { source: file, body, diagnostics: parser.diagnostics, comments: () => [] };
}

class Hcl1Parser {
  readonly diagnostics: Diagnostic[] = [];
  readonly #scanner: Hcl1Scanner;
  #token: Hcl1Token;
  #last: SourceRange;
  #depth = 0;

  constructor(file: SourceFile) {
    this.#scanner = new Hcl1Scanner(file);
    this.#token = this.#scanner.next();
    this.#last = this.#token.range.atStart();
  }

  /** The kind of the next token; a method, because reading changes it behind the checker's back. */
  #kind(): Hcl1Kind {
    return this.#token.kind;
  }

  #read(): Hcl1Token {
    const token = this.#token;
    this.#last = token.range;
    this.#token = this.#scanner.next();
    return token;
  }

  #problem(token: Hcl1Token, summary: string, detail: string): void {
    const given = token.kind === 'invalid' ? token.text : detail;
    this.diagnostics.push(errorAt(token.range, token.kind === 'invalid' ? 'Invalid text' : summary, given));
  }

  file(): Body {
    return this.#items('end', this.#token.range);
  }

  /** The items up to `end`, which is not read. */
  #items(end: Hcl1Kind, start: SourceRange): Body {
    const attributes = new Map<string, Attribute>();
    const blocks: Block[] = [];
    while (this.#token.kind !== end && this.#token.kind !== 'end') {
      const { kind } = this.#token;
      if (kind === ',' && end !== 'end') {
        this.#read();
        continue;
      }
      const item = this.#item();
      if (item === undefined) this.#skipLine();
      else if ('body' in item) blocks.push(item);
      else attributes.set(item.name, item);
    }
    return { attributes, blocks, range: start.to(this.#token.range), missingItemRange: start.atStart() };
  }

  /** After a mistake: to the next line, but not past the end of the block. */
  #skipLine(): void {
    do this.#read();
    while (!this.#token.startsLine && this.#token.kind !== 'end' && this.#token.kind !== '}');
  }

  #item(): Attribute | Block | undefined {
    const name = this.#token;
    if (name.kind !== 'identifier' && name.kind !== 'string' && name.kind !== 'bool') {
      this.#problem(name, 'Key required', 'the key of an argument or block must start here');
      return undefined;
    }
    this.#read();
    const labels: Hcl1Token[] = [];
    while (this.#token.kind === 'string' || this.#token.kind === 'identifier') labels.push(this.#read());
    if (this.#token.kind === '{') return this.#block(name, labels);
    if (this.#token.kind === '=' && labels.length === 0) {
      this.#read();
      const expr = this.#value();
      if (expr === undefined) return undefined;
      return { name: name.text, expr, range: name.range.to(this.#last), nameRange: name.range };
    }
    const wanted = labels.length === 0 ? '"=" and a value, or "{"' : '"{"';
    this.#problem(this.#token, 'Invalid item', `after the key ${JSON.stringify(name.text)} ${wanted} must follow`);
    return undefined;
  }

  #block(name: Hcl1Token, labels: readonly Hcl1Token[]): Block | undefined {
    if (!this.#enter()) return undefined;
    const open = this.#read().range;
    const body = this.#items('}', open);
    const close = this.#close('}', open);
    this.#depth--;
    const labelRanges = labels.map((label) => label.range);
    return {
      type: name.text,
      labels: labels.map((label) => label.text),
      body,
      typeRange: name.range,
      labelRanges,
      openBraceRange: open,
      closeBraceRange: close,
      headerRange: name.range.to(labelRanges.at(-1) ?? name.range),
      range: name.range.to(close),
    };
  }

  #enter(): boolean {
    if (++this.#depth <= maxNesting) return true;
    this.#problem(this.#token, 'Nesting too deep', `more than ${maxNesting} levels of nesting are not read`);
    while (this.#token.kind !== 'end') this.#read();
    this.#depth--;
    return false;
  }

  #close(kind: Hcl1Kind, open: SourceRange): SourceRange {
    if (this.#token.kind === kind) return this.#read().range;
    this.diagnostics.push(
      errorAt(open, 'Missing closing bracket', `this bracket has no "${kind}" before the file ends`),
    );
    return this.#token.range;
  }

  #value(): Expression | undefined {
    const token = this.#token;
    const literal = (value: Value): Expression => {
      this.#read();
      return { kind: 'literal', value, range: token.range };
    };
    switch (token.kind) {
      case 'string':
      case 'heredoc':
        return literal(stringValue(token.text));
      case 'bool':
        return literal(boolValue(token.text === 'true'));
      case 'number':
        return literal(numberOf(token.text));
      case '[':
        return this.#list();
      case '{':
        return this.#object();
      default:
        this.#problem(token, 'Value required', 'a text in quotes, a number, true, false, "[" or "{" must stand here');
        return undefined;
    }
  }

  #list(): Expression | undefined {
    if (!this.#enter()) return undefined;
    const open = this.#read().range;
    const items: Expression[] = [];
    while (this.#kind() !== ']' && this.#kind() !== 'end') {
      const item = this.#value();
      if (item === undefined) {
        this.#read();
        continue;
      }
      items.push(item);
      if (this.#kind() === ',') this.#read();
      else if (this.#kind() !== ']' && this.#kind() !== 'end') {
        this.#problem(this.#token, 'Missing separator', 'items of a list are separated by a comma');
      }
    }
    const close = this.#close(']', open);
    this.#depth--;
    return { kind: 'tuple', items, openRange: open, range: open.to(close) };
  }

  /** `key = { … }`: its items as an object; blocks in it become lists of objects, one for each. */
  #object(): Expression | undefined {
    if (!this.#enter()) return undefined;
    const open = this.#read().range;
    const body = this.#items('}', open);
    const close = this.#close('}', open);
    this.#depth--;
    return bodyExpression(body, open, open.to(close));
  }
}

const keyExpression = (name: string, range: SourceRange): Expression => ({
  kind: 'literal',
  value: stringValue(name),
  range,
});

function bodyExpression(body: Body, openRange: SourceRange, range: SourceRange): Expression {
  const items: ObjectItem[] = [];
  for (const { name, nameRange, expr } of body.attributes.values()) {
    items.push({ key: keyExpression(name, nameRange), keyIsExpression: true, value: expr });
  }
  const byType = new Map<string, Block[]>();
  for (const block of body.blocks) byType.set(block.type, [...(byType.get(block.type) ?? []), block]);
  for (const [type, blocks] of byType) {
    const first = blocks[0]!;
    const objects = blocks.map(blockExpression);
    const list: Expression = { kind: 'tuple', items: objects, openRange: first.openBraceRange, range: first.range };
    items.push({ key: keyExpression(type, first.typeRange), keyIsExpression: true, value: list });
  }
  return { kind: 'object', items, openRange, range };
}

/** A block as an object; each label is one more object around it. */
function blockExpression(block: Block): Expression {
  let expr = bodyExpression(block.body, block.openBraceRange, block.range);
  for (let i = block.labels.length - 1; i >= 0; i--) {
    const key = keyExpression(block.labels[i]!, block.labelRanges[i]!);
    const items = [{ key, keyIsExpression: true, value: expr }];
    expr = { kind: 'object', items, openRange: block.openBraceRange, range: block.range };
  }
  return expr;
}

function numberOf(text: string): Value {
  if (/^-?0[xX]/.test(text)) {
    const value = BigInt(text.replace('-', ''));
    return integerValue(text.startsWith('-') ? -value : value);
  }
  // A zero in front once meant octal.
  if (/^-?0[0-7]+$/.test(text)) return integerValue(Number.parseInt(text, 8));
  const number = parseNumber(text);
  return number === undefined ? dynamicUnknown : numberValue(number);
}
