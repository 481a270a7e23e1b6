/** Template text → tokens. Positions count bytes, as Go's messages do. */
import { TemplateError } from './template-error.ts';

export type TokenKind =
  | 'text'
  | 'left'
  | 'right'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'keyword'
  | 'string'
  | 'number'
  | 'char'
  | 'space'
  | 'dot'
  | 'symbol'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Of the first character, in UTF-16 units. */
  readonly at: number;
}

export const keywords: ReadonlySet<string> = new Set([
  ...['if', 'else', 'end', 'range', 'with', 'define', 'template', 'block', 'break', 'continue', 'nil'],
]);

export function lex(source: string): Token[] {
  return new Lexer(source).run();
}

const blank = /^[ \t\r\n]+/;
const word = /^[\p{L}_][\p{L}\p{Nd}_]*/u;
const numberText = /^[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*)?\.?\d[\d_]*\.?(?:[eE][+-]?\d+)?)/;

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    let trimNext = false;
    for (;;) {
      const open = this.#source.indexOf('{{', this.#at);
      const end = open < 0 ? this.#source.length : open;
      let text = this.#source.slice(this.#at, end);
      const start = this.#at;
      if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
      const trimBefore = open >= 0 && /^-[ \t\r\n]/.test(this.#source.slice(open + 2, open + 4));
      if (trimBefore) text = text.replace(/[ \t\r\n]+$/, '');
      if (text !== '') this.#push('text', text, start);
      if (open < 0) break;
      this.#at = open + 2 + (trimBefore ? 2 : 0);
      trimNext = this.#source.startsWith('/*', this.#at) ? this.#comment() : this.#action(open);
    }
    this.#push('end', '', this.#source.length);
    return this.#tokens;
  }

  /** True: the text after it loses its leading white space. */
  #comment(): boolean {
    const close = this.#source.indexOf('*/', this.#at);
    if (close < 0) throw this.#fault('unclosed comment');
    this.#at = close + 2;
    if (this.#source.startsWith('}}', this.#at)) {
      this.#at += 2;
      return false;
    }
    if (/^[ \t\r\n]-\}\}/.test(this.#source.slice(this.#at, this.#at + 4))) {
      this.#at += 4;
      return true;
    }
    throw this.#fault('comment ends before closing delimiter');
  }

  #action(open: number): boolean {
    this.#push('left', '{{', open);
    let depth = 0;
    for (;;) {
      const rest = this.#source.slice(this.#at);
      if (/^[ \t\r\n]-\}\}/.test(rest)) {
        if (depth > 0) throw this.#fault('unclosed left paren');
        this.#push('right', '}}', this.#at + 2);
        this.#at += 4;
        return true;
      }
      if (rest.startsWith('}}')) {
        if (depth > 0) throw this.#fault('unclosed left paren');
        this.#push('right', '}}', this.#at);
        this.#at += 2;
        return false;
      }
      if (rest === '') throw this.#fault('unclosed action');
      const token = this.#inside(rest);
      if (token === '(') depth++;
      else if (token === ')' && --depth < 0) throw this.#fault('unexpected right paren');
    }
  }

  /** One token inside an action; gives its text. */
  #inside(rest: string): string {
    const first = rest[0]!;
    const space = blank.exec(rest);
    if (space !== null) return this.#take('space', space[0]);
    if (first === '"') return this.#take('string', this.#quoted(rest, '"', 'unterminated quoted string'));
    if (first === '`') return this.#take('string', this.#raw(rest));
    if (first === "'") return this.#take('char', this.#quoted(rest, "'", 'unterminated character constant'));
    if (rest.startsWith(':=')) return this.#take('symbol', ':=');
    if (first === '$') return this.#terminated('variable', `$${word.exec(rest.slice(1))?.[0] ?? ''}`);
    if (first === '.' && !/^\.\d/.test(rest)) {
      const name = word.exec(rest.slice(1));
      return name === null ? this.#take('dot', '.') : this.#terminated('field', `.${name[0]}`);
    }
    if (/^[+-]?\.?\d/.test(rest)) return this.#number(rest);
    const name = word.exec(rest);
    if (name !== null) return this.#terminated(keywords.has(name[0]) ? 'keyword' : 'identifier', name[0]);
    if ('=|(),'.includes(first)) return this.#take('symbol', first);
    throw this.#fault(`unrecognized character in action: ${unicode(rest)}`);
  }

  #quoted(rest: string, quote: string, problem: string): string {
    for (let at = 1; at < rest.length && rest[at] !== '\n'; at++) {
      if (rest[at] === '\\') at++;
      else if (rest[at] === quote) return rest.slice(0, at + 1);
    }
    throw this.#fault(problem);
  }

  #raw(rest: string): string {
    const end = rest.indexOf('`', 1);
    if (end < 0) throw this.#fault('unterminated raw quoted string');
    return rest.slice(0, end + 1);
  }

  #number(rest: string): string {
    const text = numberText.exec(rest)?.[0] ?? '';
    if (text === '' || /^[\p{L}\p{Nd}_]/u.test(rest.slice(text.length)))
      throw this.#fault(`bad number syntax: "${rest.slice(0, text.length + 1)}"`);
    return this.#take('number', text);
  }

  /** Names end at white space or punctuation, so that a typing error does not split into two operands. */
  #terminated(kind: TokenKind, text: string): string {
    const after = this.#source.slice(this.#at + text.length);
    if (after !== '' && !/^[ \t\r\n.,|:=()]/.test(after) && !after.startsWith('}}'))
      throw this.#fault(`bad character ${unicode(after)}`, text.length);
    return this.#take(kind, text);
  }

  #take(kind: TokenKind, text: string): string {
    this.#push(kind, text, this.#at);
    this.#at += text.length;
    return text;
  }

  #push(kind: TokenKind, text: string, at: number): void {
    this.#tokens.push({ kind, text, at });
  }

  #fault(problem: string, ahead = 0): TemplateError {
    return new TemplateError(`template: :${lineOf(this.#source, this.#at + ahead)}: ${problem}`);
  }
}

export function lineOf(source: string, at: number): number {
  return source.slice(0, at).split('\n').length;
}

function unicode(text: string): string {
  const code = text.codePointAt(0)!;
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')} '${String.fromCodePoint(code)}'`;
}
