import { characterLength, identifierEnd, isDigit, numberEnd, trimSpaceEnd, trimSpaceStart } from './characters.ts';
import type { SourceFile } from './source.ts';
import { type ScanStart, Tok, TokenList } from './tokens.ts';

/** Kinds of the tokens of one byte, by that byte. */
const single = new Uint8Array(128);
for (const [text, kind] of Object.entries({
  '[': Tok.OpenBracket,
  ']': Tok.CloseBracket,
  '(': Tok.OpenParen,
  ')': Tok.CloseParen,
  '.': Tok.Dot,
  ',': Tok.Comma,
  '*': Tok.Star,
  '/': Tok.Slash,
  '%': Tok.Percent,
  '+': Tok.Plus,
  '-': Tok.Minus,
  '=': Tok.Equal,
  '<': Tok.Less,
  '>': Tok.Greater,
  '!': Tok.Bang,
  '?': Tok.Question,
  ':': Tok.Colon,
  '\n': Tok.Newline,
  '&': Tok.BitwiseAnd,
  '|': Tok.BitwiseOr,
  '~': Tok.BitwiseNot,
  '^': Tok.BitwiseXor,
  ';': Tok.Semicolon,
  '`': Tok.Backtick,
  "'": Tok.Apostrophe,
})) {
  single[text.charCodeAt(0)] = kind;
}

/** Kinds of the two-byte operators, by both bytes. */
const double = new Map<number, number>(
  Object.entries({
    '==': Tok.EqualOp,
    '!=': Tok.NotEqual,
    '>=': Tok.GreaterEqual,
    '<=': Tok.LessEqual,
    '&&': Tok.And,
    '||': Tok.Or,
    '::': Tok.DoubleColon,
    '=>': Tok.FatArrow,
  }).map(([text, kind]) => [(text.charCodeAt(0) << 8) | text.charCodeAt(1), kind]),
);

interface Heredoc {
  readonly marker: string;
  startOfLine: boolean;
}

/** What the scanner is inside of: plain syntax, a quoted template, a heredoc, or a template that is the whole text. */
const Mode = { Plain: 0, Quoted: 1, Heredoc: 2, Bare: 3 } as const;

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly tokens: TokenList;
  #at: number;
  #mode: number;
  readonly #modes: number[] = [];
  #braces = 0;
  readonly #sequences: number[] = [];
  readonly #heredocs: Heredoc[] = [];
  #noCommentEndAfter = Number.POSITIVE_INFINITY;

  constructor(tokens: TokenList, at: number, mode: number) {
    this.tokens = tokens;
    this.#bytes = tokens.buffer.bytes;
    this.#end = this.#bytes.length;
    this.#at = at;
    this.#mode = mode;
  }

  run(): void {
    while (this.#at < this.#end) {
      if (this.#mode === Mode.Plain) this.#plain();
      else if (this.#mode === Mode.Quoted) this.#quoted();
      else this.#template();
    }
    this.tokens.add(Tok.End, this.#end, this.#end);
  }

  #emit(kind: number, end: number): void {
    this.tokens.add(kind, this.#at, end);
    this.#at = end;
  }

  #enter(mode: number): void {
    this.#modes.push(this.#mode);
    this.#mode = mode;
  }

  #leave(): void {
    this.#mode = this.#modes.pop() ?? this.#mode;
  }

  #plain(): void {
    const bytes = this.#bytes;
    const at = this.#at;
    const byte = bytes[at]!;
    if (byte === 32 || byte === 9) this.#at++;
    else if (isDigit(byte)) this.#emit(Tok.Number, numberEnd(bytes, at));
    else if (byte === 34) {
      this.#emit(Tok.OpenQuote, at + 1);
      this.#enter(Mode.Quoted);
    } else if (byte === 123) {
      this.#emit(Tok.OpenBrace, at + 1);
      this.#braces++;
    } else if (byte === 125) this.#closeBrace();
    else if (byte === 35) this.#emit(Tok.Comment, this.#lineEnd(at));
    else if (byte === 13 && bytes[at + 1] === 10) this.#emit(Tok.Newline, at + 2);
    else if (byte < 128 && single[byte] !== 0) this.#operator(byte);
    else this.#word();
  }

  #word(): void {
    const end = identifierEnd(this.#bytes, this.#at);
    if (end > this.#at) {
      this.#emit(Tok.Identifier, end);
      return;
    }
    const length = characterLength(this.#bytes, this.#at);
    if (length === 0) this.#emit(Tok.BadUtf8, this.#at + 1);
    else this.#emit(Tok.Invalid, this.#at + length);
  }

  #operator(byte: number): void {
    const at = this.#at;
    const next = this.#bytes[at + 1] ?? 0;
    if (byte === 46 && next === 46 && this.#bytes[at + 2] === 46) this.#emit(Tok.Ellipsis, at + 3);
    else if (byte === 126 && next === 125) this.#closeTrimming();
    else if (byte === 47 && next === 47) this.#emit(Tok.Comment, this.#lineEnd(at));
    else if (byte === 47 && next === 42) this.#blockComment();
    else if (byte === 60 && next === 60) this.#openHeredoc();
    else {
      const kind = double.get((byte << 8) | next);
      if (kind === undefined) this.#emit(single[byte]!, at + 1);
      else this.#emit(kind, at + 2);
    }
  }

  #lineEnd(at: number): number {
    const end = this.#bytes.indexOf(10, at);
    return end < 0 ? this.#end : end + 1;
  }

  /** An unclosed comment is no comment: its slash and star are tokens of their own. */
  #blockComment(): void {
    const at = this.#at;
    for (let i = at + 2; i < this.#noCommentEndAfter; ) {
      const star = this.#bytes.indexOf(42, i);
      if (star < 0) break;
      if (this.#bytes[star + 1] === 47) {
        this.#emit(Tok.Comment, star + 2);
        return;
      }
      i = star + 1;
    }
    this.#noCommentEndAfter = Math.min(this.#noCommentEndAfter, at + 2);
    this.#emit(Tok.Slash, at + 1);
  }

  #openHeredoc(): void {
    const bytes = this.#bytes;
    const at = this.#at;
    const start = bytes[at + 2] === 45 ? at + 3 : at + 2;
    const end = identifierEnd(bytes, start);
    const line = bytes[end] === 13 ? end + 1 : end;
    if (end === start || bytes[line] !== 10) {
      this.#emit(Tok.Less, at + 1);
      return;
    }
    this.#emit(Tok.OpenHeredoc, line + 1);
    this.#heredocs.push({ marker: this.tokens.buffer.text(start, end), startOfLine: true });
    this.#enter(Mode.Heredoc);
  }

  #closesSequence(): boolean {
    const { length } = this.#sequences;
    return length > 0 && this.#sequences[length - 1] === this.#braces;
  }

  #closeBrace(): void {
    if (this.#closesSequence()) {
      this.#emit(Tok.SequenceEnd, this.#at + 1);
      this.#sequences.pop();
      this.#leave();
    } else {
      this.#emit(Tok.CloseBrace, this.#at + 1);
    }
    this.#braces--;
  }

  /** `~}` is always a sequence end, so that the parser can refuse it where a plain brace belongs. */
  #closeTrimming(): void {
    const closes = this.#closesSequence();
    this.#emit(Tok.SequenceEnd, this.#at + 2);
    this.#braces--;
    if (!closes) return;
    this.#sequences.pop();
    this.#leave();
  }

  #openSequence(byte: number): void {
    const length = this.#bytes[this.#at + 2] === 126 ? 3 : 2;
    this.#emit(byte === 36 ? Tok.Interpolation : Tok.Directive, this.#at + length);
    this.#braces++;
    this.#sequences.push(this.#braces);
    const heredoc = this.#heredocs.at(-1);
    if (heredoc !== undefined) heredoc.startOfLine = false;
    this.#enter(Mode.Plain);
  }

  /**
   * End of the literal that a `$` or `%` starts: the escape `$${` (with its `~`), or the sign alone. -1 at the end of
   * the text, where it could still become either.
   */
  #signEnd(byte: number): number {
    const at = this.#at;
    if (at + 1 >= this.#end) return -1;
    if (this.#bytes[at + 1] !== byte || this.#bytes[at + 2] !== 123) return at + 1;
    return this.#bytes[at + 3] === 126 ? at + 4 : at + 3;
  }

  #quoted(): void {
    const bytes = this.#bytes;
    const byte = bytes[this.#at]!;
    if (byte === 34) {
      this.#emit(Tok.CloseQuote, this.#at + 1);
      this.#leave();
    } else if (byte === 36 || byte === 37) {
      if (bytes[this.#at + 1] === 123) {
        this.#openSequence(byte);
        return;
      }
      const end = this.#signEnd(byte);
      if (end < 0) this.#emit(Tok.Invalid, this.#end);
      else this.#emit(Tok.QuotedText, end);
    } else if (byte === 10 || byte === 13) {
      let end = this.#at + 1;
      while (bytes[end] === 10 || bytes[end] === 13) end++;
      this.#emit(Tok.QuotedNewline, end);
    } else {
      this.#quotedText();
    }
  }

  #quotedText(): void {
    const bytes = this.#bytes;
    let end = this.#at;
    for (;;) {
      const byte = bytes[end];
      if (byte === undefined || byte === 34 || byte === 36 || byte === 37 || byte === 10 || byte === 13) break;
      let next = end;
      if (byte === 92) {
        next++;
        const escaped = bytes[next];
        if (escaped === undefined || escaped === 10 || escaped === 13) break;
      }
      const length = characterLength(bytes, next);
      if (length === 0) break;
      end = next + length;
    }
    if (end > this.#at) this.#emit(Tok.QuotedText, end);
    else if (bytes[end] === 92) this.#emit(Tok.Invalid, end + 1);
    else this.#emit(Tok.BadUtf8, end + 1);
  }

  /** Inside a heredoc or a bare template. */
  #template(): void {
    const bytes = this.#bytes;
    const byte = bytes[this.#at]!;
    if (byte === 36 || byte === 37) {
      if (bytes[this.#at + 1] === 123) {
        this.#openSequence(byte);
        return;
      }
      const end = this.#signEnd(byte);
      if (end < 0) this.#stuck();
      else this.#templateText(end);
      return;
    }
    let end = this.#at;
    for (;;) {
      const next = bytes[end];
      if (next === undefined || next === 36 || next === 37 || next === 10 || next === 13) break;
      const length = characterLength(bytes, end);
      if (length === 0) break;
      end += length;
    }
    const newline = bytes[end] === 10 ? 1 : bytes[end] === 13 && bytes[end + 1] === 10 ? 2 : 0;
    if (newline > 0) this.#templateLine(end, newline);
    else if (end > this.#at) this.#templateText(end);
    else if (bytes[end] === 13) this.#stuck();
    else this.#emit(Tok.BadUtf8, end + 1);
  }

  #templateText(end: number): void {
    const heredoc = this.#heredocs.at(-1);
    if (this.#mode === Mode.Heredoc && heredoc !== undefined) heredoc.startOfLine = false;
    this.#emit(Tok.Text, end);
  }

  #templateLine(end: number, newline: number): void {
    const heredoc = this.#heredocs.at(-1);
    if (this.#mode !== Mode.Heredoc || heredoc === undefined) {
      this.#emit(Tok.Text, end + newline);
      return;
    }
    if (
      heredoc.startOfLine &&
      trimSpaceEnd(trimSpaceStart(this.tokens.buffer.text(this.#at, end))) === heredoc.marker
    ) {
      this.#emit(Tok.CloseHeredoc, end);
      this.#emit(Tok.Newline, end + newline);
      this.#heredocs.pop();
      this.#leave();
      return;
    }
    heredoc.startOfLine = true;
    this.#emit(Tok.Text, end + newline);
  }

  /** Nothing matches here: the rest is one token, plain text only in a template that is the whole text. */
  #stuck(): void {
    const literal = this.#mode === Mode.Bare && this.#modes.length === 0;
    this.#emit(literal ? Tok.Text : Tok.Invalid, this.#end);
  }
}

const bom = [0xef, 0xbb, 0xbf] as const;

/** Tokens of a configuration or an expression. A byte order mark at the start is skipped. */
export function scanTokens(file: SourceFile): TokenList {
  const at = bom.every((byte, i) => file.bytes[i] === byte) ? bom.length : 0;
  const scanner = new Scanner(new TokenList(file, file, { line: 1, column: 1, byte: 0 }, at), at, Mode.Plain);
  scanner.run();
  return scanner.tokens;
}

/** Tokens of a text that is a template as a whole, and that stands in `file` from `start` on. */
export function scanTemplate(buffer: SourceFile, file: SourceFile, start: ScanStart): TokenList {
  const scanner = new Scanner(new TokenList(buffer, file, start, 0), 0, Mode.Bare);
  scanner.run();
  return scanner.tokens;
}
