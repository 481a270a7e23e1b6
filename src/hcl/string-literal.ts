import { countGraphemes } from './graphemes.ts';
import type { ParserCore } from './parser-core.ts';
import { SourceRange } from './source.ts';
import { Tok } from './tokens.ts';

/** An escape in a quoted string, `$${`/`%%{` in either kind of template, or the text before the next one. */
const quotedPieces = /\\(?:u[0-9a-fA-F]{0,4}|U[0-9a-fA-F]{0,8}|[^uU])?|\$\$\{|%%\{|[\s\S][^\\$%]*/gu;

const simpleEscapes = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['"', '"'],
  ['\\', '\\'],
]);

/** The text that a literal token of a template stands for. */
export function literalText(core: ParserCore, token: number): string {
  const text = core.tokens.text(token);
  if (core.kind(token) !== Tok.QuotedText)
    return text === '$${' || text === '%%{' || /^(\$\$|%%)\{~$/.test(text) ? text.slice(1) : text;
  if (!/[\\$%]/.test(text)) return text;
  let result = '';
  for (const match of text.matchAll(quotedPieces)) {
    const piece = match[0];
    if (piece.startsWith('\\')) result += decodeEscape(core, token, text, match.index, piece);
    else if (piece === '$${' || piece === '%%{') result += piece.slice(1);
    else result += piece;
  }
  return result;
}

function decodeEscape(core: ParserCore, token: number, text: string, at: number, piece: string): string {
  const selector = piece[1];
  const simple = selector === undefined ? undefined : simpleEscapes.get(selector);
  if (simple !== undefined) return simple;
  const problem = (detail: string): void => {
    core.problem(pieceRange(core.range(token), text, at, piece), 'Invalid escape sequence', detail);
  };
  if (selector === undefined) {
    problem('after a backslash an escape must follow, like \\n or \\"');
    return piece;
  }
  if (selector !== 'u' && selector !== 'U') {
    problem(`\\${piece.slice(1)} is no escape; write \\\\ for a backslash`);
    return piece.slice(1);
  }
  const digits = selector === 'u' ? 4 : 8;
  if (piece.length !== digits + 2) {
    problem(`after \\${selector} exactly ${digits} hexadecimal digits must follow`);
    return piece;
  }
  const code = Number.parseInt(piece.slice(2), 16);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    problem(`U+${piece.slice(2)} is not a character`);
    return piece;
  }
  return String.fromCodePoint(code);
}

function pieceRange(whole: SourceRange, text: string, at: number, piece: string): SourceRange {
  const before = text.slice(0, at);
  const column = whole.startColumn + countGraphemes(before);
  const byte = whole.startByte + utf8Length(before);
  const line = whole.startLine;
  return new SourceRange(
    whole.file,
    line,
    column,
    byte,
    line,
    column + countGraphemes(piece),
    byte + utf8Length(piece),
  );
}

export const utf8Length = (text: string): number => {
  let length = 0;
  for (const char of text) {
    const code = char.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
};

/** A quoted string without interpolation, as a block's label, and its last token: the next one is its opening quote. */
export function parseQuotedLabel(core: ParserCore): { text: string; last: number } {
  core.read();
  const summary = 'Invalid string literal';
  let text = '';
  for (;;) {
    const token = core.read();
    switch (core.kind(token)) {
      case Tok.CloseQuote:
        return { text, last: token };
      case Tok.QuotedText:
        text += literalText(core, token);
        break;
      case Tok.Interpolation:
      case Tok.Directive: {
        const sign = core.kind(token) === Tok.Interpolation ? '$' : '%';
        core.problem(
          core.range(token),
          summary,
          `a label is plain text; for a literal "${sign}{" double the sign: "${sign}${sign}{"`,
        );
        text += `${sign}{ ... }`;
        core.recover(Tok.SequenceEnd);
        break;
      }
      case Tok.End:
        core.problem(core.range(token), 'Unterminated string literal', 'the file ends before the closing quote');
        return { text, last: token };
      default:
        core.problem(core.range(token), summary, 'this cannot be part of a string');
        core.recover(Tok.CloseQuote);
        return { text, last: token };
    }
  }
}
