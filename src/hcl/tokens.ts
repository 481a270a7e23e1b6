import { countGraphemes } from './graphemes.ts';
import { type SourceFile, SourceRange } from './source.ts';

/** Kinds of tokens. A plain table instead of an enum: the numbers are stored in typed arrays. */
export const Tok = {
  OpenBrace: 1,
  CloseBrace: 2,
  OpenBracket: 3,
  CloseBracket: 4,
  OpenParen: 5,
  CloseParen: 6,
  OpenQuote: 7,
  CloseQuote: 8,
  OpenHeredoc: 9,
  CloseHeredoc: 10,
  Star: 11,
  Slash: 12,
  Plus: 13,
  Minus: 14,
  Percent: 15,
  Equal: 16,
  EqualOp: 17,
  NotEqual: 18,
  Less: 19,
  LessEqual: 20,
  Greater: 21,
  GreaterEqual: 22,
  And: 23,
  Or: 24,
  Bang: 25,
  Dot: 26,
  Comma: 27,
  DoubleColon: 28,
  Ellipsis: 29,
  FatArrow: 30,
  Question: 31,
  Colon: 32,
  Interpolation: 33,
  Directive: 34,
  SequenceEnd: 35,
  QuotedText: 36,
  Text: 37,
  Number: 38,
  Identifier: 39,
  Comment: 40,
  Newline: 41,
  End: 42,
  BitwiseAnd: 43,
  BitwiseOr: 44,
  BitwiseNot: 45,
  BitwiseXor: 46,
  Apostrophe: 47,
  Backtick: 48,
  Semicolon: 49,
  QuotedNewline: 50,
  Invalid: 51,
  BadUtf8: 52,
} as const;

/** Where a scan begins: the position of the first byte of the buffer in the file that users see. */
export interface ScanStart {
  readonly line: number;
  readonly column: number;
  readonly byte: number;
}

/** Names that are remembered, to be one string each: a hostile file has a million others. */
const maxNames = 1000;

/** The tokens of one text, in typed arrays: a 10 MB file has millions of them. */
export class TokenList {
  /** The buffer that was scanned; offsets in `starts` and `ends` count in it. */
  readonly buffer: SourceFile;
  /** The file that ranges name: another one for a template inside a JSON string. */
  readonly file: SourceFile;
  readonly byteShift: number;
  count = 0;
  kinds: Uint8Array;
  starts: Int32Array;
  ends: Int32Array;
  lines: Int32Array;
  columns: Int32Array;
  endLines: Int32Array;
  endColumns: Int32Array;
  readonly #names = new Map<string, string>();
  #line: number;
  #column: number;
  #at: number;

  constructor(buffer: SourceFile, file: SourceFile, start: ScanStart, at: number) {
    this.buffer = buffer;
    this.file = file;
    this.byteShift = start.byte;
    this.#line = start.line;
    this.#column = start.column;
    this.#at = at;
    const room = 64 + (buffer.bytes.length >> 2);
    this.kinds = new Uint8Array(room);
    this.starts = new Int32Array(room);
    this.ends = new Int32Array(room);
    this.lines = new Int32Array(room);
    this.columns = new Int32Array(room);
    this.endLines = new Int32Array(room);
    this.endColumns = new Int32Array(room);
  }

  /** Adds the token `[start, end)`; only blanks may lie between it and the one before. */
  add(kind: number, start: number, end: number): void {
    if (this.count === this.kinds.length) this.#grow();
    const i = this.count++;
    this.kinds[i] = kind;
    this.starts[i] = start;
    this.ends[i] = end;
    this.#column += start - this.#at;
    this.lines[i] = this.#line;
    this.columns[i] = this.#column;
    this.#advance(start, end);
    this.endLines[i] = this.#line;
    this.endColumns[i] = this.#column;
    this.#at = end;
  }

  #advance(start: number, end: number): void {
    const { bytes } = this.buffer;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte > 127) {
        this.#advanceText(i, end);
        return;
      }
      if (byte === 10) {
        this.#line++;
        this.#column = 1;
      } else if (byte !== 13 || bytes[i + 1] !== 10 || i + 1 >= end) {
        this.#column++;
      }
    }
  }

  /** The rest of a token that holds other than ASCII: clusters may reach back to the character before. */
  #advanceText(from: number, end: number): void {
    const { bytes } = this.buffer;
    let at = from;
    const previous = this.starts[this.count - 1]!;
    if (at > previous && bytes[at - 1]! !== 10 && bytes[at - 1]! !== 13) {
      at--;
      this.#column--;
    }
    const lines = this.buffer.text(at, end).split('\n');
    lines.forEach((line, i) => {
      const last = i === lines.length - 1;
      const text = !last && line.endsWith('\r') ? line.slice(0, -1) : line;
      this.#column += countGraphemes(text);
      if (!last) {
        this.#line++;
        this.#column = 1;
      }
    });
  }

  #grow(): void {
    const room = this.kinds.length * 2;
    const kinds = new Uint8Array(room);
    kinds.set(this.kinds);
    this.kinds = kinds;
    this.starts = grown(this.starts, room);
    this.ends = grown(this.ends, room);
    this.lines = grown(this.lines, room);
    this.columns = grown(this.columns, room);
    this.endLines = grown(this.endLines, room);
    this.endColumns = grown(this.endColumns, room);
  }

  text(i: number): string {
    return this.buffer.text(this.starts[i]!, this.ends[i]!);
  }

  /** As `text`, the same string for the same name: a file has tens of thousands of each of its few. */
  name(i: number): string {
    const text = this.text(i);
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.size < maxNames) this.#names.set(text, text);
    return text;
  }

  range(i: number): SourceRange {
    return this.between(i, i);
  }

  /** From the start of token `a` to the end of token `b`. */
  between(a: number, b: number): SourceRange {
    return new SourceRange(
      this.file,
      this.lines[a]!,
      this.columns[a]!,
      this.starts[a]! + this.byteShift,
      this.endLines[b]!,
      this.endColumns[b]!,
      this.ends[b]! + this.byteShift,
    );
  }
}

function grown(old: Int32Array, room: number): Int32Array {
  const larger = new Int32Array(room);
  larger.set(old);
  return larger;
}
