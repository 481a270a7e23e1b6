import { type Diagnostic, echoAt, errorAt } from './diagnostic.ts';
import { Tok, type TokenList } from './tokens.ts';

const bitwiseHint = new Map<number, string>([
  [Tok.BitwiseAnd, ' For "and" write "&&".'],
  [Tok.BitwiseOr, ' For "or" write "||".'],
  [Tok.BitwiseNot, ' For "not" write "!".'],
  [Tok.BitwiseXor, ''],
]);

/** How often a kind is reported in one file: a file full of one mistake needs no thousand problems. */
const atMost = new Map<number, number>([
  [Tok.BitwiseAnd, 4],
  [Tok.Semicolon, 1],
  [Tok.BadUtf8, 1],
]);

/** Most problems of this kind in one file. */
const maxFound = 1000;

/** Problems of the tokens that no rule of the language uses. */
export function checkTokens(tokens: TokenList): Diagnostic[] {
  const found: Diagnostic[] = [];
  const seen = new Map<number, number>();
  let runsOn = false;
  for (let i = 0; i < tokens.count; i++) {
    const kind = tokens.kinds[i]!;
    if (kind === Tok.OpenQuote) runsOn = false;
    if (kind < Tok.BitwiseAnd) continue;
    const group = bitwiseHint.has(kind) ? Tok.BitwiseAnd : kind;
    const before = seen.get(group) ?? 0;
    seen.set(group, before + 1);
    if (found.length >= maxFound) break;
    if (before >= (atMost.get(group) ?? Number.POSITIVE_INFINITY)) continue;
    // Quotes come in pairs: of a pair only the opening one is reported.
    if ((kind === Tok.Backtick || kind === Tok.Apostrophe) && (before % 2 !== 0 || before > 2)) continue;
    const problem = describe(tokens, i, kind);
    // A quote that is not closed swallows line after line: the first says it all.
    const again = kind === Tok.QuotedNewline && runsOn;
    found.push(again ? echoAt(problem.subject, problem.summary, problem.detail) : problem);
    runsOn = kind === Tok.QuotedNewline || runsOn;
  }
  return found;
}

function describe(tokens: TokenList, i: number, kind: number): Diagnostic {
  const range = tokens.range(i);
  const hint = bitwiseHint.get(kind);
  if (hint !== undefined) {
    return errorAt(range, 'Unsupported operator', `there is no operator "${tokens.text(i)}".${hint}`);
  }
  switch (kind) {
    case Tok.Backtick:
      return errorAt(
        range,
        'Invalid character',
        'a backtick quotes nothing here; for several lines use a heredoc: <<EOT',
      );
    case Tok.Apostrophe:
      return errorAt(range, 'Invalid character', 'strings are enclosed in double quotes, not in single ones');
    case Tok.Semicolon:
      return errorAt(
        range,
        'Invalid character',
        'a semicolon separates nothing; arguments end with their line, items with a comma',
      );
    case Tok.BadUtf8:
      return errorAt(range, 'Invalid character encoding', 'the file is not UTF-8 here; save it with that encoding');
    case Tok.QuotedNewline:
      return errorAt(
        range,
        'Invalid multi-line string',
        'a quoted string ends on its line; write \\n for a line end, or use a heredoc: <<EOT',
      );
    default: {
      return errorAt(range, 'Invalid character', meaningless(tokens, i));
    }
  }
}

const named = new Map([
  ['\u00a0', 'this is a no-break space, which separates nothing; write a plain space'],
  ['\u200b', 'here is a zero-width space, which is not seen but counts; take it out'],
  ['\ufeff', 'here is a byte order mark, which may only stand at the start of the file; take it out'],
  ['\r', 'a carriage return alone ends no line; save the file with line feeds'],
  ['\0', 'here is a NUL byte: this is no text in UTF-8'],
  ['“', 'curly quotes enclose nothing; use straight double quotes'],
  ['”', 'curly quotes enclose nothing; use straight double quotes'],
]);

function meaningless(tokens: TokenList, i: number): string {
  const text = tokens.text(i);
  const next = tokens.buffer.bytes[tokens.ends[i]!];
  if (text === '$' && next === 0x7b) return 'an interpolation stands inside of quotes: "${…}"';
  const known = named.get(text) ?? named.get(text[0]!);
  if (known !== undefined) return known;
  const code = text.codePointAt(0)!;
  const shown = code < 0x21 || code === 0x7f ? '' : ` "${String.fromCodePoint(code)}"`;
  return `the character${shown} (U+${code.toString(16).toUpperCase().padStart(4, '0')}) has no meaning in the language`;
}
