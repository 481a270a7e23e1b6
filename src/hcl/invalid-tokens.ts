import { type Diagnostic, errorAt } from './diagnostic.ts';
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
  for (let i = 0; i < tokens.count; i++) {
    const kind = tokens.kinds[i]!;
    if (kind < Tok.BitwiseAnd) continue;
    const group = bitwiseHint.has(kind) ? Tok.BitwiseAnd : kind;
    const before = seen.get(group) ?? 0;
    seen.set(group, before + 1);
    if (found.length >= maxFound) break;
    if (before >= (atMost.get(group) ?? Number.POSITIVE_INFINITY)) continue;
    // Quotes come in pairs: of a pair only the opening one is reported.
    if ((kind === Tok.Backtick || kind === Tok.Apostrophe) && (before % 2 !== 0 || before > 2)) continue;
    found.push(describe(tokens, i, kind));
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
      const text = tokens.text(i);
      const curly = text === '“' || text === '”';
      const detail = curly
        ? 'curly quotes enclose nothing; use straight double quotes'
        : 'this character has no meaning in the language';
      return errorAt(range, 'Invalid character', detail);
    }
  }
}
