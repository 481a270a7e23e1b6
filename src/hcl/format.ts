import { countGraphemes } from './graphemes.ts';
import { scanTokens } from './scanner.ts';
import { SourceFile } from './source.ts';
import { Tok, type TokenList } from './tokens.ts';

/** A token on its line, with the blanks that go before it. */
interface Piece {
  readonly kind: number;
  readonly text: string;
  spaces: number;
}

/** One line: what stands before the `=`, from the `=` on, and the comment at its end. A heredoc is part of its line. */
interface Line {
  lead: Piece[];
  assign: Piece[];
  comment: Piece | undefined;
}

/**
 * The text in the canonical layout: two blanks of indentation per open bracket, one blank around operators, `=` and
 * comments of neighbouring lines in one column. Comments and empty lines stay; formatting twice changes nothing. A text
 * with syntax errors is laid out as far as it can be; check it before.
 */
export function format(source: string): string {
  const tokens = scanTokens(new SourceFile('', source));
  const lines = toLines(tokens);
  indent(lines);
  for (const line of lines) space(line);
  alignAssignments(lines);
  alignComments(lines);
  const parts: string[] = [];
  for (const { lead, assign, comment } of lines) {
    for (const piece of lead) parts.push(' '.repeat(piece.spaces), piece.text);
    for (const piece of assign) parts.push(' '.repeat(piece.spaces), piece.text);
    if (comment !== undefined) parts.push(' '.repeat(comment.spaces), comment.text);
  }
  return parts.join('');
}

function toLines(tokens: TokenList): Line[] {
  const lines: Line[] = [];
  let lead: Piece[] = [];
  let before = 0;
  for (let i = 0; i < tokens.count; i++) {
    const kind = tokens.kinds[i]!;
    if (kind === Tok.End) break;
    const text = tokens.text(i);
    lead.push({ kind, text, spaces: tokens.starts[i]! - before });
    before = tokens.ends[i]!;
    if (kind === Tok.Newline || (kind === Tok.Comment && text.endsWith('\n'))) {
      lines.push(splitLine(lead));
      lead = [];
    }
  }
  if (lead.length > 0) lines.push(splitLine(lead));
  return lines;
}

function splitLine(pieces: Piece[]): Line {
  let lead = pieces;
  let comment: Piece | undefined;
  if (lead.length > 1 && lead.at(-1)!.kind === Tok.Comment) {
    comment = lead.at(-1);
    lead = lead.slice(0, -1);
  }
  const equal = lead.findIndex((piece, i) => i > 0 && piece.kind === Tok.Equal);
  // An assignment that goes on over the next lines is not lined up with others.
  if (equal < 0 || netBrackets(lead.slice(equal)) !== 0) return { lead, assign: [], comment };
  return { lead: lead.slice(0, equal), assign: lead.slice(equal), comment };
}

const opening = new Set<number>([Tok.OpenBrace, Tok.OpenBracket, Tok.OpenParen, Tok.Directive, Tok.Interpolation]);
const closing = new Set<number>([Tok.CloseBrace, Tok.CloseBracket, Tok.CloseParen, Tok.SequenceEnd]);

function netBrackets(pieces: readonly Piece[]): number {
  let net = 0;
  for (const { kind } of pieces) {
    if (opening.has(kind)) net++;
    else if (closing.has(kind)) net--;
  }
  return net;
}

/** A line that opens several brackets indents once, and the line that closes them ends that indentation. */
function indent(lines: readonly Line[]): void {
  const levels: number[] = [];
  for (const { lead, assign } of lines) {
    const first = lead[0];
    if (first === undefined) continue;
    if (first.kind === Tok.Newline) {
      first.spaces = 0;
      continue;
    }
    const heredoc = lead.findIndex((piece) => piece.kind === Tok.OpenHeredoc);
    const net = netBrackets(heredoc < 0 ? lead : lead.slice(0, heredoc)) + netBrackets(assign);
    for (let closed = -net; closed > 0 && levels.length > 0; ) {
      const last = levels.pop()!;
      if (last > closed) levels.push(last - closed);
      closed -= last;
    }
    first.spaces = 2 * levels.length;
    if (net > 0) levels.push(net);
  }
}

function space({ lead, assign }: Line): void {
  for (const pieces of [lead, assign]) {
    for (let i = 0; i + 1 < pieces.length; i++) {
      pieces[i + 1]!.spaces = isSpaced(pieces[i]!, pieces[i - 1], pieces[i + 1]!) ? 1 : 0;
    }
  }
  if (assign[0] !== undefined) assign[0].spaces = 1;
}

const textual = new Set<number>([Tok.QuotedText, Tok.Text]);
/** Before a minus of one of these kinds, or at the start, it is a sign. */
const beforeSign = new Set<number>([
  Tok.OpenParen,
  Tok.OpenBrace,
  Tok.OpenBracket,
  Tok.Equal,
  Tok.Colon,
  Tok.Comma,
  Tok.Question,
  Tok.Plus,
  Tok.Star,
  Tok.Slash,
  Tok.Percent,
  Tok.Minus,
  Tok.EqualOp,
  Tok.NotEqual,
  Tok.Greater,
  Tok.GreaterEqual,
  Tok.Less,
  Tok.LessEqual,
  Tok.And,
  Tok.Or,
  Tok.Bang,
]);

/** Whether a blank goes between a token and the one after it. */
function isSpaced(piece: Piece, before: Piece | undefined, after: Piece): boolean {
  const { kind } = piece;
  const next = after.kind;
  if (next === Tok.Newline) return false;
  if (kind === Tok.Identifier && (next === Tok.OpenParen || next === Tok.DoubleColon)) return false;
  if (kind === Tok.DoubleColon && next === Tok.Identifier) return false;
  // A dot between numbers would make them one number.
  if (kind === Tok.Dot || next === Tok.Dot)
    return kind === Tok.Dot && next === Tok.Number && before?.kind === Tok.Number;
  if (next === Tok.Comma || next === Tok.Ellipsis) return false;
  if (kind === Tok.Comma) return true;
  if (textual.has(kind) || textual.has(next)) return false;
  if (kind === Tok.OpenQuote || kind === Tok.OpenHeredoc || next === Tok.CloseQuote || next === Tok.CloseHeredoc)
    return false;
  if (kind === Tok.Identifier && piece.text === 'in' && before?.kind === Tok.Identifier) return true;
  if (next === Tok.OpenBracket && (kind === Tok.Identifier || kind === Tok.Number || closing.has(kind))) return false;
  if (kind === Tok.Bang) return false;
  if (kind === Tok.Minus) return before !== undefined && !beforeSign.has(before.kind);
  return isSpacedBracket(kind, next);
}

function isSpacedBracket(kind: number, next: number): boolean {
  if (kind === Tok.OpenBrace || next === Tok.CloseBrace) return !(kind === Tok.OpenBrace && next === Tok.CloseBrace);
  if ((kind === Tok.Interpolation || kind === Tok.Directive) && next === Tok.OpenBrace) return true;
  if (kind === Tok.CloseBrace && next === Tok.SequenceEnd) return true;
  if (kind === Tok.SequenceEnd && (next === Tok.Interpolation || next === Tok.Directive)) return false;
  return !opening.has(kind) && !closing.has(next);
}

const columns = (pieces: readonly Piece[]): number =>
  pieces.reduce((total, piece) => total + piece.spaces + countGraphemes(piece.text), 0);

/** Puts something of neighbouring lines into one column: `place` gives it, `width` what stands before it. */
function align(lines: readonly Line[], place: (line: Line) => Piece | undefined, width: (line: Line) => number): void {
  let chain: { piece: Piece; width: number }[] = [];
  const flush = (): void => {
    const widest = Math.max(0, ...chain.map((item) => item.width));
    for (const item of chain) item.piece.spaces = widest - item.width + 1;
    chain = [];
  };
  for (const line of lines) {
    const piece = place(line);
    // Longer chains go in parts: the spread above has to stay small.
    if (piece === undefined || chain.length >= maxChain) flush();
    if (piece !== undefined) chain.push({ piece, width: width(line) });
  }
  flush();
}

const maxChain = 10_000;

const alignAssignments = (lines: readonly Line[]): void =>
  align(
    lines,
    (line) => line.assign[0],
    (line) => columns(line.lead),
  );

function alignComments(lines: readonly Line[]): void {
  align(
    lines,
    (line) => line.comment,
    (line) => columns(line.lead) + columns(line.assign),
  );
}
