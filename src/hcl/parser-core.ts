import { type Diagnostic, errorAt } from './diagnostic.ts';
import type { SourceRange } from './source.ts';
import type { Expression } from './syntax.ts';
import { Tok, type TokenList } from './tokens.ts';
import { dynamicUnknown } from './value.ts';

/** Deepest nesting of expressions and blocks that is parsed. Deeper input ends with a diagnostic. */
export const maxNesting = 500;

const closers = new Map<number, number>([
  [Tok.OpenBrace, Tok.CloseBrace],
  [Tok.OpenBracket, Tok.CloseBracket],
  [Tok.OpenParen, Tok.CloseParen],
  [Tok.OpenQuote, Tok.CloseQuote],
  [Tok.OpenHeredoc, Tok.CloseHeredoc],
  [Tok.Interpolation, Tok.SequenceEnd],
  [Tok.Directive, Tok.SequenceEnd],
]);
const openers = new Map<number, number>([...closers].reverse().map(([open, close]) => [close, open]));

/** The kind that closes what `open` opens. */
export function closerOf(open: number): number {
  return closers.get(open) ?? 0;
}

/**
 * A place in the tokens, and the way back to a sensible place after a mistake. Problems are collected here; from the
 * first one on `recovering` is set, and problems that may only be its echo are left out.
 */
export class ParserCore {
  readonly tokens: TokenList;
  readonly diagnostics: Diagnostic[];
  recovering = false;
  /** Problems so far: a part has some when this has grown. */
  problems = 0;
  /** The first closing brace that stands under another line than the one its block begins on: where nesting went wrong. */
  misplacedBrace: { readonly block: number; readonly brace: number } | undefined;
  /** Reads one expression. Bound by parse-expression.ts, for the parts of an expression that hold others. */
  expression: () => Expression;
  #next = 0;
  #newlines: boolean[] = [true];
  #depth = 0;
  #tooDeep = false;

  constructor(tokens: TokenList, diagnostics: Diagnostic[]) {
    this.tokens = tokens;
    this.diagnostics = diagnostics;
    this.expression = () => this.placeholder(this.range(this.peek()));
  }

  /** Index of the next token that counts here: comments never do, line ends only where they end something. */
  peek(): number {
    const { kinds, count } = this.tokens;
    const newlines = this.#newlines[this.#newlines.length - 1]!;
    for (let i = this.#next; i < count; i++) {
      const kind = kinds[i]!;
      if (kind === Tok.Newline) {
        if (newlines) return i;
      } else if (kind !== Tok.Comment || (newlines && this.#endsLine(i))) return i;
    }
    return count - 1;
  }

  read(): number {
    const i = this.peek();
    this.#next = i + 1;
    return i;
  }

  /** The kind of a token that `peek` or `read` gave; a comment that ends its line is a line end. */
  kind(i: number): number {
    const kind = this.tokens.kinds[i]!;
    return kind === Tok.Comment ? Tok.Newline : kind;
  }

  peekKind(): number {
    return this.kind(this.peek());
  }

  peekIs(keyword: string): boolean {
    const i = this.peek();
    return this.tokens.kinds[i] === Tok.Identifier && this.tokens.text(i) === keyword;
  }

  #endsLine(i: number): boolean {
    return this.tokens.buffer.bytes[this.tokens.ends[i]! - 1] === 10;
  }

  range(i: number): SourceRange {
    return this.tokens.range(i);
  }

  /** Index of the token read last. */
  previous(): number {
    return this.#next === 0 ? this.peek() : Math.min(this.#next, this.tokens.count) - 1;
  }

  pushNewlines(count: boolean): void {
    this.#newlines.push(count);
  }

  popNewlines(): void {
    this.#newlines.pop();
  }

  problem(subject: SourceRange, summary: string, detail: string): void {
    this.problems++;
    this.diagnostics.push(errorAt(subject, summary, detail));
  }

  /** A problem that is left out when it may be the echo of an earlier one. */
  problemUnlessRecovering(subject: SourceRange, summary: string, detail: string): void {
    if (!this.recovering) this.problem(subject, summary, detail);
  }

  /** True when a part that began at `before` problems is broken, so that the rest of it cannot be trusted. */
  broken(before: number): boolean {
    return this.recovering && this.problems > before;
  }

  /** Enters one level of nesting; false when there are too many, which is reported once. */
  enter(): boolean {
    if (++this.#depth <= maxNesting) return true;
    if (!this.#tooDeep) {
      this.#tooDeep = true;
      this.problem(
        this.range(this.peek()),
        'Nesting too deep',
        `more than ${maxNesting} levels of nesting are not read`,
      );
    }
    this.recovering = true;
    this.problems++;
    this.#next = this.tokens.count;
    return false;
  }

  leave(): void {
    this.#depth--;
  }

  /** Skips past the `end` that closes the bracket that is open here, and returns it (or the end of the file). */
  recover(end: number): number {
    const start = openers.get(end) ?? 0;
    this.recovering = true;
    for (let nest = 0; ; ) {
      const i = this.read();
      let kind = this.kind(i);
      if (end === Tok.SequenceEnd && kind === Tok.Directive) kind = Tok.Interpolation;
      if (kind === start) nest++;
      else if (kind === end) {
        if (nest === 0) return i;
        nest--;
      } else if (kind === Tok.End) return i;
    }
  }

  /** Skips past the next `start` and then past what closes it. */
  recoverOver(start: number): void {
    for (;;) {
      const kind = this.kind(this.read());
      if (kind === start || kind === Tok.End) break;
    }
    this.recover(closerOf(start));
  }

  /** Skips to the line after this item, over whole bracketed parts. */
  recoverAfterItem(): void {
    this.recovering = true;
    const open: number[] = [];
    for (;;) {
      const kind = this.kind(this.read());
      if (kind === Tok.End || (kind === Tok.Newline && open.length === 0)) return;
      if (closers.has(kind)) open.push(kind === Tok.Directive ? Tok.Interpolation : kind);
      const opener = openers.get(kind);
      if (opener === undefined) continue;
      while (open.length > 0 && open[open.length - 1] !== opener) open.pop();
      open.pop();
    }
  }

  /** Stands where an expression could not be read. */
  placeholder(range: SourceRange): Expression {
    return { kind: 'literal', value: dynamicUnknown, range };
  }
}
