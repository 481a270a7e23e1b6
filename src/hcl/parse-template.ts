import { trimSpaceEnd, trimSpaceStart } from './characters.ts';
import type { ParserCore } from './parser-core.ts';
import { closerOf } from './parser-core.ts';
import type { SourceRange } from './source.ts';
import { literalText } from './string-literal.ts';
import { suggestion } from './suggest.ts';
import type { Expression } from './syntax.ts';
import { flushHeredoc, meldLiterals } from './template-literals.ts';
import { buildTemplate, type TemplatePart } from './template-tree.ts';
import { StringNode } from './token-nodes.ts';
import { Tok } from './tokens.ts';

/** Reads a quoted string or a heredoc; the next token is its opening. */
export function parseTemplateTerm(core: ParserCore): Expression {
  const open = core.read();
  if (isPlainString(core, open)) return plainString(core);
  const flush = core.kind(open) === Tok.OpenHeredoc && core.tokens.text(open).startsWith('<<-');
  const { parts } = parseTemplateParts(core, closerOf(core.kind(open)), flush);
  return buildTemplate(core, parts, core.tokens.between(open, core.previous()));
}

/** True for the opening quote of a string that is one literal: nearly all of them. */
function isPlainString({ tokens: { kinds } }: ParserCore, open: number): boolean {
  return kinds[open] === Tok.OpenQuote && kinds[open + 1] === Tok.QuotedText && kinds[open + 2] === Tok.CloseQuote;
}

function plainString(core: ParserCore): Expression {
  const token = core.read();
  core.read();
  return new StringNode(core.tokens, token, hasEscapes(core, token) ? literalText(core, token) : undefined);
}

function hasEscapes({ tokens: { buffer, starts, ends } }: ParserCore, token: number): boolean {
  const end = ends[token]!;
  for (let i = starts[token]!; i < end; i++) {
    const byte = buffer.bytes[i]!;
    if (byte === 92 || byte === 36 || byte === 37) return true;
  }
  return false;
}

/** Reads a text that is a template as a whole. */
export function parseWholeTemplate(core: ParserCore): Expression {
  const { parts, range } = parseTemplateParts(core, Tok.End, false);
  return buildTemplate(core, parts, range);
}

interface TemplateState {
  readonly parts: TemplatePart[];
  readonly start: SourceRange;
  readonly end: number;
  /** A `~` before: blanks at the start of the next literal go. */
  trimNext: boolean;
  /** The part before is a literal, so a `~` here may trim its end. */
  canTrim: boolean;
}

function parseTemplateParts(
  core: ParserCore,
  end: number,
  flush: boolean,
): { parts: TemplatePart[]; range: SourceRange } {
  const opening = core.previous();
  const start = core.range(core.peek());
  const state: TemplateState = { parts: [], start, end, trimNext: false, canTrim: false };
  let endRange: SourceRange;
  for (;;) {
    const token = core.read();
    const kind = core.kind(token);
    if (kind === end) {
      endRange = core.range(token);
      break;
    }
    const trim = state.trimNext;
    const canTrim = state.canTrim;
    state.trimNext = false;
    state.canTrim = false;
    if (kind === Tok.Text || kind === Tok.QuotedText) {
      const text = literalText(core, token);
      state.parts.push({ kind: 'literal', text: trim ? trimSpaceStart(text) : text, range: core.range(token) });
      state.canTrim = true;
    } else if (kind === Tok.Interpolation || kind === Tok.Directive) {
      if (canTrim && core.tokens.ends[token]! - core.tokens.starts[token]! === 3) trimLast(state.parts);
      core.pushNewlines(false);
      if (kind === Tok.Interpolation) parseInterpolation(core, state, token);
      else parseDirective(core, state, token);
      core.popNewlines();
    } else {
      core.problemUnlessRecovering(core.range(token), 'Unterminated template string', unended(core, opening, end));
      endRange = core.range(core.recover(end));
      break;
    }
  }
  const { parts } = state;
  if (parts.length === 0) parts.push({ kind: 'literal', text: '', range: start.atEnd() });
  parts.push({ kind: 'end', range: endRange });
  if (flush) flushHeredoc(parts);
  return { parts: meldLiterals(parts), range: start.to(endRange) };
}

function unended(core: ParserCore, opening: number, end: number): string {
  if (end !== Tok.CloseHeredoc) return 'the closing mark of this string is missing';
  const marker = core.tokens.text(opening).trim().replace(/^<<-?/, '');
  return `the heredoc that starts on line ${core.range(opening).startLine} is not ended: "${marker}" must stand alone on a line`;
}

function trimLast(parts: TemplatePart[]): void {
  const last = parts.at(-1);
  if (last?.kind === 'literal') last.text = trimSpaceEnd(last.text);
}

function parseInterpolation(core: ParserCore, state: TemplateState, open: number): void {
  const expr = core.expression();
  const close = core.peek();
  if (core.kind(close) === Tok.SequenceEnd) finishSequence(core, state);
  else {
    if (!core.recovering) unclosedInterpolation(core, state, close);
    core.recover(Tok.SequenceEnd);
  }
  state.parts.push({ kind: 'interpolation', expr, range: core.tokens.between(open, close) });
}

function unclosedInterpolation(core: ParserCore, state: TemplateState, close: number): void {
  const kind = core.kind(close);
  const quote = (kind === Tok.CloseQuote || kind === Tok.OpenQuote) && state.end === Tok.CloseQuote;
  if (kind === Tok.End || quote) {
    const where = quote ? 'string' : 'file';
    core.problem(
      state.start,
      'Unclosed template interpolation sequence',
      `this "\${" has no "}" before the ${where} ends`,
    );
    return;
  }
  core.problem(
    core.range(close),
    'Extra characters after interpolation expression',
    'a "}" must end the interpolation here; for a literal "${" of another language write "$${"',
  );
}

/** Reads the `}` or `~}` that is next. */
function finishSequence(core: ParserCore, state: TemplateState): void {
  const close = core.read();
  if (core.tokens.ends[close]! - core.tokens.starts[close]! === 2) state.trimNext = true;
}

const directives = ['if', 'for', 'else', 'endif', 'endfor'];

function parseDirective(core: ParserCore, state: TemplateState, open: number): void {
  const keyword = core.peek();
  if (core.kind(keyword) !== Tok.Identifier) {
    core.problemUnlessRecovering(
      core.range(keyword),
      'Invalid template directive',
      'after "%{" a keyword must follow: if, for, else, endif or endfor',
    );
    core.recover(Tok.SequenceEnd);
    return;
  }
  core.read();
  const word = core.tokens.text(keyword);
  const part = parseDirectiveBody(core, open, keyword, word);
  if (part === undefined) {
    core.recover(Tok.SequenceEnd);
    return;
  }
  state.parts.push(part);
  if (core.peekKind() === Tok.SequenceEnd) {
    finishSequence(core, state);
    return;
  }
  core.problemUnlessRecovering(
    core.range(core.peek()),
    `Extra characters in ${word} marker`,
    `a "}" must end the "${word}" here`,
  );
  core.recover(Tok.SequenceEnd);
}

function parseDirectiveBody(core: ParserCore, open: number, keyword: number, word: string): TemplatePart | undefined {
  switch (word) {
    case 'if': {
      const condition = core.expression();
      return { kind: 'if', condition, range: core.tokens.between(open, core.peek()) };
    }
    case 'else':
    case 'endif':
    case 'endfor':
      return { kind: 'marker', word, range: core.tokens.between(open, core.peek()) };
    case 'for':
      return parseForDirective(core, open);
    default:
      core.problemUnlessRecovering(
        core.range(keyword),
        'Invalid template control keyword',
        `"${word}" is no keyword of a template.${suggestion(word, directives)}`,
      );
      return undefined;
  }
}

function parseForDirective(core: ParserCore, open: number): TemplatePart | undefined {
  const name = (detail: string): string | undefined => {
    const token = core.peek();
    if (core.kind(token) === Tok.Identifier) return core.tokens.text(core.read());
    core.problemUnlessRecovering(core.range(token), "Invalid 'for' directive", detail);
    return undefined;
  };
  let valueName = name('after "for" a name must follow');
  if (valueName === undefined) return undefined;
  let keyName: string | undefined;
  if (core.peekKind() === Tok.Comma) {
    core.read();
    keyName = valueName;
    valueName = name('after the comma the name of the value must follow');
    if (valueName === undefined) return undefined;
  }
  if (!core.peekIs('in')) {
    core.problemUnlessRecovering(
      core.range(core.peek()),
      "Invalid 'for' directive",
      'after the names "in" must follow',
    );
    return undefined;
  }
  core.read();
  const collection = core.expression();
  return { kind: 'for', keyName, valueName, collection, range: core.tokens.between(open, core.peek()) };
}
