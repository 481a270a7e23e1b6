import type { ParserCore } from './parser-core.ts';
import type { SourceRange } from './source.ts';
import type { Expression, ForExpression } from './syntax.ts';
import { stringValue } from './value.ts';

/** A template as a flat row, before its directives are matched up. */
export type TemplatePart =
  | { kind: 'literal'; text: string; range: SourceRange }
  | { readonly kind: 'interpolation'; readonly expr: Expression; readonly range: SourceRange }
  | { readonly kind: 'if'; readonly condition: Expression; readonly range: SourceRange }
  | {
      readonly kind: 'for';
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      readonly range: SourceRange;
    }
  | { readonly kind: 'marker'; readonly word: 'else' | 'endif' | 'endfor'; readonly range: SourceRange }
  | { readonly kind: 'end'; readonly range: SourceRange };

/** The expression of a template; one interpolation alone keeps the type of its value. */
export function buildTemplate(core: ParserCore, parts: readonly TemplatePart[], range: SourceRange): Expression {
  const builder = new TemplateBuilder(core, parts);
  const exprs: Expression[] = [];
  while (!builder.atEnd()) exprs.push(builder.expression());
  const first = parts[0];
  if (parts.length === 2 && first?.kind === 'interpolation') return { kind: 'wrap', inner: first.expr, range };
  return { kind: 'template', parts: exprs, range };
}

class TemplateBuilder {
  readonly #core: ParserCore;
  readonly #parts: readonly TemplatePart[];
  #at = 0;

  constructor(core: ParserCore, parts: readonly TemplatePart[]) {
    this.#core = core;
    this.#parts = parts;
  }

  atEnd(): boolean {
    return this.#parts[this.#at]!.kind === 'end';
  }

  expression(): Expression {
    const part = this.#parts[this.#at]!;
    if (part.kind !== 'end') this.#at++;
    switch (part.kind) {
      case 'literal':
        return { kind: 'literal', value: stringValue(part.text), range: part.range };
      case 'interpolation':
        return part.expr;
      case 'if':
      case 'for': {
        if (!this.#core.enter()) {
          this.#core.leave();
          this.#at = this.#parts.length - 1;
          return this.#core.placeholder(part.range);
        }
        const expr = part.kind === 'if' ? this.#if(part) : this.#for(part);
        this.#core.leave();
        return expr;
      }
      case 'marker':
        return this.#unexpected(part, 'it belongs to no "if" or "for"');
      default:
        return this.#unclosed(part.range, 'template');
    }
  }

  #unexpected(part: { word: string; range: SourceRange }, detail: string): Expression {
    this.#core.problem(part.range, `Unexpected ${part.word} directive`, detail);
    return this.#core.placeholder(part.range);
  }

  #unclosed(end: SourceRange, what: string): Expression {
    this.#core.problem(end, 'Unexpected end of template', `the ${what} is not ended`);
    return this.#core.placeholder(end);
  }

  #if(open: Extract<TemplatePart, { kind: 'if' }>): Expression {
    const branches: [Expression[], Expression[]] = [[], []];
    let inElse = false;
    for (;;) {
      const part = this.#parts[this.#at]!;
      if (part.kind === 'end') return this.#unclosed(part.range, `"if" at ${open.range}, with "endif",`);
      if (part.kind !== 'marker') {
        branches[inElse ? 1 : 0].push(this.expression());
        continue;
      }
      this.#at++;
      if (part.word === 'else' && !inElse) {
        inElse = true;
        continue;
      }
      if (part.word === 'endif') {
        const whenTrue = branch(branches[0], open.range.atEnd());
        const whenFalse = branch(branches[1], part.range.atStart());
        return {
          kind: 'conditional',
          condition: open.condition,
          whenTrue,
          whenFalse,
          range: open.range.to(part.range),
        };
      }
      const detail =
        part.word === 'else'
          ? `the "if" at ${open.range} has an "else" already`
          : `the "if" at ${open.range} needs "endif"`;
      return this.#unexpected(part, detail);
    }
  }

  #for(open: Extract<TemplatePart, { kind: 'for' }>): Expression {
    const content: Expression[] = [];
    for (;;) {
      const part = this.#parts[this.#at]!;
      if (part.kind === 'end') return this.#unclosed(part.range, `"for" at ${open.range}, with "endfor",`);
      if (part.kind !== 'marker') {
        content.push(this.expression());
        continue;
      }
      this.#at++;
      if (part.word !== 'endfor') return this.#unexpected(part, `the "for" at ${open.range} needs "endfor"`);
      const range = open.range.to(part.range);
      const tuple: ForExpression = {
        kind: 'for',
        keyName: open.keyName,
        valueName: open.valueName,
        collection: open.collection,
        key: undefined,
        value: branch(content, open.range.atEnd()),
        condition: undefined,
        makesObject: false,
        group: false,
        openRange: open.range,
        range,
      };
      return { kind: 'join', tuple, range };
    }
  }
}

function branch(exprs: readonly Expression[], where: SourceRange): Expression {
  const first = exprs[0];
  if (first === undefined) {
    const empty: Expression = { kind: 'literal', value: stringValue(''), range: where };
    return { kind: 'template', parts: [empty], range: where };
  }
  return { kind: 'template', parts: exprs, range: first.range.to(exprs.at(-1)!.range) };
}
