/** A place in a source text. `line` and `column` count from 1, `byte` from 0; a column is one grapheme cluster. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly byte: number;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Bytes of a text in UTF-8. */
export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);
/** Text of UTF-8 bytes; broken sequences become U+FFFD, a byte order mark is kept. */
export const decodeUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes);

/** One named source text: its bytes, and slices of it as text. */
export class SourceFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The whole text when every byte is ASCII: slices of it cost nothing. */
  readonly #ascii: string | undefined;

  constructor(name: string, source: string | Uint8Array) {
    this.name = name;
    this.bytes = typeof source === 'string' ? encodeUtf8(source) : source;
    this.#ascii = isAscii(this.bytes) ? (typeof source === 'string' ? source : decodeUtf8(this.bytes)) : undefined;
  }

  /** The text between two byte offsets. */
  text(start: number, end: number): string {
    if (this.#ascii !== undefined) return this.#ascii.slice(start, end);
    return decodeUtf8(this.bytes.subarray(start, end));
  }

  /** The text of line `number` (from 1) without its line end; empty when there is no such line. */
  line(number: number): string {
    let start = 0;
    for (let left = number; left > 1; left--) {
      const next = this.bytes.indexOf(10, start);
      if (next < 0) return '';
      start = next + 1;
    }
    let end = this.bytes.indexOf(10, start);
    if (end < 0) end = this.bytes.length;
    if (end > start && this.bytes[end - 1] === 13) end--;
    return this.text(start, end);
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 127) return false;
  return true;
}

/** A stretch of a source file, its end exclusive. Flat, because a large file has millions of them. */
export class SourceRange {
  readonly file: SourceFile;
  readonly startLine: number;
  readonly startColumn: number;
  readonly startByte: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly endByte: number;

  constructor(file: SourceFile, sl: number, sc: number, sb: number, el: number, ec: number, eb: number) {
    this.file = file;
    this.startLine = sl;
    this.startColumn = sc;
    this.startByte = sb;
    this.endLine = el;
    this.endColumn = ec;
    this.endByte = eb;
  }

  get filename(): string {
    return this.file.name;
  }

  get start(): Position {
    return { line: this.startLine, column: this.startColumn, byte: this.startByte };
  }

  get end(): Position {
    return { line: this.endLine, column: this.endColumn, byte: this.endByte };
  }

  /** From the start of this range to the end of `last`. */
  to(last: SourceRange): SourceRange {
    return new SourceRange(
      this.file,
      this.startLine,
      this.startColumn,
      this.startByte,
      last.endLine,
      last.endColumn,
      last.endByte,
    );
  }

  /** The empty range at the start of this one. */
  atStart(): SourceRange {
    const { startLine: line, startColumn: column, startByte: byte } = this;
    return new SourceRange(this.file, line, column, byte, line, column, byte);
  }

  /** The empty range at the end of this one. */
  atEnd(): SourceRange {
    const { endLine: line, endColumn: column, endByte: byte } = this;
    return new SourceRange(this.file, line, column, byte, line, column, byte);
  }

  /** `file:3,5-9`, or `file:3,5-4,1` over several lines. */
  toString(): string {
    const end = this.startLine === this.endLine ? `${this.endColumn}` : `${this.endLine},${this.endColumn}`;
    return `${this.filename}:${this.startLine},${this.startColumn}-${end}`;
  }
}
