import { characterLength } from './characters.ts';
import { countGraphemes } from './graphemes.ts';
import { type SourceFile, SourceRange } from './source.ts';

/** Kinds of tokens of the older grammar. */
export type Hcl1Kind =
  | 'identifier'
  | 'string'
  | 'number'
  | 'bool'
  | 'heredoc'
  | '{'
  | '}'
  | '['
  | ']'
  | ','
  | '='
  | 'end'
  | 'invalid';

export interface Hcl1Token {
  readonly kind: Hcl1Kind;
  /** The content: of a string without quotes and escapes, of a heredoc its lines; of an invalid token, what is wrong. */
  readonly text: string;
  readonly range: SourceRange;
  /** True when the token is the first of its line. */
  readonly startsLine: boolean;
}

const punctuation = new Set(['{', '}', '[', ']', ',', '=']);
const wordStart = /[\p{L}_]/u;
const wordPart = /[\p{L}\p{Nd}_.-]/u;
const numberText = /^-?(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)$/;

/** Reads the tokens of a text in the grammar of the older HCL, one after the other. */
export class Hcl1Scanner {
  readonly #file: SourceFile;
  readonly #bytes: Uint8Array;
  #at = 0;
  #line = 1;
  #column = 1;
  #lastLine = 0;

  constructor(file: SourceFile) {
    this.#file = file;
    this.#bytes = file.bytes;
    if (file.bytes[0] === 0xef && file.bytes[1] === 0xbb && file.bytes[2] === 0xbf) this.#at = 3;
  }

  next(): Hcl1Token {
    this.#skip();
    const from = { at: this.#at, line: this.#line, column: this.#column };
    const startsLine = from.line !== this.#lastLine;
    const [kind, text] = this.#read();
    this.#lastLine = this.#line;
    const range = new SourceRange(this.#file, from.line, from.column, from.at, this.#line, this.#column, this.#at);
    return { kind, text, range, startsLine };
  }

  #char(at = this.#at): string {
    const byte = this.#bytes[at];
    if (byte === undefined) return '';
    const length = Math.max(characterLength(this.#bytes, at), 1);
    return byte < 128 ? String.fromCharCode(byte) : this.#file.text(at, at + length);
  }

  #advanceTo(end: number): void {
    const lines = this.#file.text(this.#at, end).split('\n');
    if (lines.length > 1) {
      this.#line += lines.length - 1;
      this.#column = 1;
    }
    this.#column += countGraphemes(lines.at(-1)!);
    this.#at = end;
  }

  #lineEnd(): number {
    const end = this.#bytes.indexOf(10, this.#at);
    return end < 0 ? this.#bytes.length : end;
  }

  /** Blanks, line ends and comments. */
  #skip(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      const next = this.#bytes[this.#at + 1];
      if (byte === 10) {
        this.#at++;
        this.#line++;
        this.#column = 1;
      } else if (byte === 32 || byte === 9 || byte === 13) {
        this.#at++;
        this.#column++;
      } else if (byte === 35 || (byte === 47 && next === 47)) this.#advanceTo(this.#lineEnd());
      else if (byte === 47 && next === 42) {
        const end = this.#commentEnd();
        if (end < 0) return;
        this.#advanceTo(end);
      } else return;
    }
  }

  /** Behind the comment that starts here; -1 when it is never closed. */
  #commentEnd(): number {
    for (let i = this.#at + 2; ; i++) {
      i = this.#bytes.indexOf(42, i);
      if (i < 0) return -1;
      if (this.#bytes[i + 1] === 47) return i + 2;
    }
  }

  #read(): [Hcl1Kind, string] {
    const char = this.#char();
    if (char === '') return ['end', ''];
    if (char === '"') return this.#string();
    if (char === '<') return this.#heredoc();
    if (punctuation.has(char)) {
      this.#advanceTo(this.#at + 1);
      return [char as Hcl1Kind, char];
    }
    if (wordStart.test(char)) return this.#word();
    if (/[-.0-9]/.test(char)) return this.#number();
    if (char === '/' && this.#bytes[this.#at + 1] === 42) {
      this.#advanceTo(this.#bytes.length);
      return ['invalid', 'this comment is never closed'];
    }
    this.#advanceTo(this.#at + Math.max(characterLength(this.#bytes, this.#at), 1));
    return ['invalid', 'this character has no meaning here'];
  }

  #take(pattern: RegExp): string {
    let end = this.#at;
    for (let char = this.#char(end); char !== '' && pattern.test(char); char = this.#char(end)) {
      end += Math.max(characterLength(this.#bytes, end), 1);
    }
    const text = this.#file.text(this.#at, end);
    this.#advanceTo(end);
    return text;
  }

  #word(): [Hcl1Kind, string] {
    const text = this.#take(wordPart);
    return [text === 'true' || text === 'false' ? 'bool' : 'identifier', text];
  }

  #number(): [Hcl1Kind, string] {
    const text = this.#take(/[-+.0-9A-Za-z_]/);
    return numberText.test(text) ? ['number', text] : ['invalid', `${JSON.stringify(text)} is no number`];
  }

  /** Up to the closing quote. Inside `${ }` quotes may stand again, and nothing there is an escape. */
  #string(): [Hcl1Kind, string] {
    let depth = 0;
    let end = this.#at + 1;
    for (; ; end++) {
      const byte = this.#bytes[end];
      if (byte === undefined || (byte === 10 && depth === 0)) {
        this.#advanceTo(Math.min(end, this.#bytes.length));
        return ['invalid', 'this string has no closing quote'];
      }
      if (byte === 34 && depth === 0) break;
      if (byte === 92) end++;
      else if (byte === 36 && this.#bytes[end + 1] === 123) {
        depth++;
        end++;
      } else if (byte === 123 && depth > 0) depth++;
      else if (byte === 125 && depth > 0) depth--;
    }
    const raw = this.#file.text(this.#at + 1, end);
    this.#advanceTo(end + 1);
    const text = decodeString(raw);
    return text === undefined ? ['invalid', 'this string holds an escape that does not exist'] : ['string', text];
  }

  #heredoc(): [Hcl1Kind, string] {
    const header = this.#file.text(this.#at, this.#lineEnd());
    const match = /^<<(-?)([\p{L}\p{Nd}_.-]+)\r?$/u.exec(header);
    if (match === null || this.#lineEnd() >= this.#bytes.length) {
      this.#advanceTo(this.#lineEnd());
      return ['invalid', 'a heredoc starts with << and a marker at the end of the line'];
    }
    const lines: string[] = [];
    this.#advanceTo(this.#lineEnd() + 1);
    while (this.#at < this.#bytes.length) {
      const end = this.#lineEnd();
      const line = this.#file.text(this.#at, end);
      if (line.trim() === match[2]) {
        this.#advanceTo(end);
        return ['heredoc', unindent(lines, match[1] === '-' ? /^[ \t]*/.exec(line)![0] : '')];
      }
      lines.push(`${line}\n`);
      this.#advanceTo(Math.min(end + 1, this.#bytes.length));
    }
    return ['invalid', `the heredoc has no closing ${match[2]}`];
  }
}

/** Takes the indentation of the closing marker off the lines, if all of them have it. */
function unindent(lines: readonly string[], prefix: string): string {
  const all = lines.every((line) => line.startsWith(prefix) || line.trim() === '');
  return lines.map((line) => (all && line.startsWith(prefix) ? line.slice(prefix.length) : line)).join('');
}

const escapes = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ['"', '"'],
]);

const piece = /\$\{[^}]*\}?|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[\s\S]|$)/g;

function decodeString(raw: string): string | undefined {
  if (!raw.includes('\\')) return raw;
  let valid = true;
  const text = raw.replace(piece, (part) => {
    if (part.startsWith('$')) return part;
    const simple = escapes.get(part.slice(1));
    if (simple !== undefined) return simple;
    const octal = /^\\[0-7]{3}$/.test(part);
    const code = octal ? Number.parseInt(part.slice(1), 8) : part.length > 2 ? Number.parseInt(part.slice(2), 16) : -1;
    if (code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff)) return String.fromCodePoint(code);
    valid = false;
    return '';
  });
  return valid ? text : undefined;
}
