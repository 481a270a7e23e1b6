import { Fault } from '../fault.ts';
import type { Expression, Operator, Selector } from './syntax.ts';

type Token =
  | { readonly kind: 'word' | 'string' | 'number' | 'symbol'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number };

const space = /[ \t\r\n]*/y;
const word = /[A-Za-z_][A-Za-z0-9_/-]*/y;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?/y;
const quoted = /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y;
const symbol = /==|!=|[()[\]{}.,]/y;
const maximumLength = 64 * 1024;
const maximumDepth = 100;

/** Faults: `invalid`, with the position and what was expected there. */
export function parseExpression(text: string): Expression {
  if (text.length > maximumLength) throw new Fault('invalid', `a filter has at most ${maximumLength} characters`);
  const parser = new Parser(tokens(text));
  return parser.whole();
}

function tokens(text: string): readonly Token[] {
  const found: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  for (;;) {
    at += take(space)!.length;
    if (at >= text.length) break;
    const start = at;
    const kinds = [
      ['string', quoted],
      ['word', word],
      ['number', number],
      ['symbol', symbol],
    ] as const;
    const match = kinds
      .map(([kind, pattern]) => ({ kind, text: take(pattern) }))
      .find((each) => each.text !== undefined);
    if (match?.text === undefined) throw unexpected(text.slice(at, at + 1), at);
    at += match.text.length;
    found.push({
      kind: match.kind,
      text: match.kind === 'string' ? unquote(match.text, start) : match.text,
      at: start,
    });
  }
  found.push({ kind: 'end', text: '', at });
  return found;
}

function unquote(text: string, at: number): string {
  const inner = text.slice(1, -1);
  if (text.startsWith('`')) return inner;
  return inner.replace(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))/g, (all, u: string, x: string, char: string) => {
    if (u !== undefined || x !== undefined) return String.fromCharCode(Number.parseInt(u ?? x, 16));
    const plain = escapes[char];
    if (plain === undefined) throw new Fault('invalid', `at position ${at + 1}: unknown escape sequence ${all}`);
    return plain;
  });
}

const escapes: { readonly [char: string]: string } = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\u0007',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

function unexpected(what: string, at: number, wanted = ''): Fault {
  const shown = what === '' ? 'end' : JSON.stringify(what);
  return new Fault(
    'invalid',
    `at position ${at + 1}: unexpected ${shown}${wanted === '' ? '' : `, expected ${wanted}`}`,
  );
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  whole(): Expression {
    const expression = this.#or();
    if (this.#peek.kind !== 'end') this.#fail('"and", "or" or the end');
    return expression;
  }

  get #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #or(): Expression {
    if (++this.#depth > maximumDepth) throw new Fault('invalid', 'the filter is nested too deeply');
    let left = this.#and();
    while (this.#word('or')) left = { kind: 'or', left, right: this.#and() };
    this.#depth--;
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#word('and')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    let negated = false;
    while (this.#word('not')) negated = !negated;
    const operand = this.#primary();
    return negated ? { kind: 'not', operand } : operand;
  }

  #primary(): Expression {
    if (this.#symbol('(')) {
      const inner = this.#or();
      if (!this.#symbol(')')) this.#fail('")"');
      return inner;
    }
    const after = this.#tokens[this.#next + 1];
    const { kind, text } = this.#peek;
    const collection = kind === 'word' && (text === 'all' || text === 'any') && after?.kind !== 'symbol';
    if (collection && !(after?.kind === 'word' && operatorWords.has(after.text))) {
      this.#next++;
      return this.#collection(text as 'all' | 'any');
    }
    return this.#match();
  }

  #collection(kind: 'all' | 'any'): Expression {
    const selector = this.#selector();
    if (!this.#word('as')) this.#fail('"as"');
    const names = [this.#name()];
    if (this.#symbol(',')) names.push(this.#name());
    if (!this.#symbol('{')) this.#fail('"{"');
    const inner = this.#or();
    if (!this.#symbol('}')) this.#fail('"}"');
    return { kind, selector, names, inner };
  }

  #name(): string {
    const token = this.#peek;
    if (token.kind !== 'word') this.#fail('a name');
    this.#next++;
    return token.text;
  }

  /** `selector operator value`, or `value in selector`. */
  #match(): Expression {
    const start = this.#next;
    const first = this.#peek;
    if (first.kind === 'number' || (first.kind === 'string' && !first.text.startsWith('/'))) return this.#valueIn();
    const selector = this.#selector();
    const operator = this.#operator();
    if (operator === 'in' || operator === 'not in') {
      // the selector just read was the value
      this.#next = start;
      return this.#valueIn();
    }
    if (operator === 'contains' || operator === 'not contains')
      return { kind: 'match', selector, operator: operator === 'contains' ? 'in' : 'not in', value: this.#value() };
    const value = operator === 'is empty' || operator === 'is not empty' ? '' : this.#value();
    return { kind: 'match', selector, operator, value };
  }

  #valueIn(): Expression {
    const value = this.#value();
    const operator = this.#operator();
    if (operator !== 'in' && operator !== 'not in') this.#fail('"in" or "not in"');
    return { kind: 'match', selector: this.#selector(), operator, value };
  }

  #operator(): Operator | 'contains' | 'not contains' {
    if (this.#symbol('==')) return '==';
    if (this.#symbol('!=')) return '!=';
    if (this.#word('is')) {
      const negated = this.#word('not');
      if (!this.#word('empty')) this.#fail('"empty"');
      return negated ? 'is not empty' : 'is empty';
    }
    const negated = this.#word('not');
    for (const name of ['in', 'contains', 'matches'] as const)
      if (this.#word(name)) return negated ? `not ${name}` : name;
    return this.#fail(
      'an operator (==, !=, in, not in, contains, not contains, matches, not matches, is empty, is not empty)',
    );
  }

  #selector(): Selector {
    const token = this.#peek;
    if (token.kind === 'string' && token.text.startsWith('/')) {
      this.#next++;
      return token.text
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    }
    if (token.kind !== 'word') this.#fail('a selector');
    this.#next++;
    const parts = [token.text];
    for (;;) {
      if (this.#symbol('.')) parts.push(this.#part());
      else if (this.#symbol('[')) {
        const index = this.#peek;
        if (index.kind !== 'string' && index.kind !== 'number') this.#fail('a key in quotes');
        this.#next++;
        parts.push(index.text);
        if (!this.#symbol(']')) this.#fail('"]"');
      } else return parts;
    }
  }

  #part(): string {
    const token = this.#peek;
    if (token.kind !== 'word' && token.kind !== 'number') this.#fail('a name');
    this.#next++;
    return token.text;
  }

  #value(): string {
    const token = this.#peek;
    if (token.kind === 'word') return this.#selector().join('.');
    if (token.kind !== 'string' && token.kind !== 'number') this.#fail('a value');
    this.#next++;
    return token.text;
  }

  #word(text: string): boolean {
    return this.#take('word', text);
  }

  #symbol(text: string): boolean {
    return this.#take('symbol', text);
  }

  #take(kind: 'word' | 'symbol', text: string): boolean {
    const token = this.#peek;
    if (token.kind !== kind || token.text !== text) return false;
    this.#next++;
    return true;
  }

  #fail(wanted: string): never {
    throw unexpected(this.#peek.text, this.#peek.at, wanted);
  }
}

const operatorWords = new Set(['in', 'not', 'contains', 'matches', 'is']);
