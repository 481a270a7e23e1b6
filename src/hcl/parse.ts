import { isUtf16 } from '../lib/utf8-text.ts';
import { type Diagnostic, errorAt } from './diagnostic.ts';
import { checkTokens } from './invalid-tokens.ts';
import { parseBody } from './parse-body.ts';
import { bindExpressions } from './parse-expression.ts';
import { parseWholeTemplate } from './parse-template.ts';
import { ParserCore } from './parser-core.ts';
import { scanTemplate, scanTokens } from './scanner.ts';
import { SourceFile } from './source.ts';
import type { Body, Comment, Expression } from './syntax.ts';
import { type ScanStart, Tok, type TokenList } from './tokens.ts';

/** Largest source that is read, in bytes. */
const maxSourceBytes = 256 * 1024 * 1024;

/** A parsed file. With errors among the diagnostics it holds what could be understood. */
export interface ParsedFile {
  readonly source: SourceFile;
  readonly body: Body;
  readonly diagnostics: readonly Diagnostic[];
  /** All comments in order. They are no part of the tree: each call reads the text again. */
  comments(): Comment[];
}

function start(tokens: TokenList): ParserCore {
  const core = new ParserCore(tokens, checkTokens(tokens));
  bindExpressions(core);
  return core;
}

/** Reads a file in the native syntax. `filename` is only for positions. */
export function parseNative(source: string | Uint8Array, filename: string): ParsedFile {
  const file = new SourceFile(filename, source);
  const unreadable = unreadableAsAWhole(file);
  if (unreadable !== undefined) {
    const empty = new SourceFile(filename, '');
    const core = start(scanTokens(empty));
    const [summary, detail] = unreadable;
    return {
      source: empty,
      body: parseBody(core, Tok.End),
      diagnostics: [errorAt(core.range(0), summary, detail)],
      comments: () => [],
    };
  }
  const tokens = scanTokens(file);
  const core = start(tokens);
  const body = parseBody(core, Tok.End);
  return { source: file, body, diagnostics: core.diagnostics, comments: () => collectComments(scanTokens(file)) };
}

function unreadableAsAWhole({ bytes }: SourceFile): readonly [summary: string, detail: string] | undefined {
  if (bytes.length > maxSourceBytes)
    return ['File too large', `${bytes.length} bytes are more than the ${maxSourceBytes} that are read`];
  // One problem, not one for every second byte.
  return isUtf16(bytes) ? ['Invalid character encoding', 'the file is in UTF-16; save it as UTF-8'] : undefined;
}

function collectComments(tokens: TokenList): Comment[] {
  const comments: Comment[] = [];
  for (let i = 0; i < tokens.count; i++) {
    if (tokens.kinds[i] === Tok.Comment) comments.push({ text: tokens.text(i).trimEnd(), range: tokens.range(i) });
  }
  return comments;
}

export interface ParsedExpression {
  readonly expr: Expression;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads a text that is one expression; line ends in it do not count. */
export function parseExpression(source: string | Uint8Array, filename: string): ParsedExpression {
  const core = start(scanTokens(new SourceFile(filename, source)));
  core.pushNewlines(false);
  const expr = core.expression();
  const next = core.peek();
  if (core.kind(next) !== Tok.End) {
    core.problemUnlessRecovering(
      core.range(next),
      'Extra characters after expression',
      'the expression ends before this',
    );
  }
  return { expr, diagnostics: core.diagnostics };
}

/** Reads a text that is a template as a whole, like the inside of a quoted string but without escapes. */
export function parseTemplate(source: string | Uint8Array, filename: string): ParsedExpression {
  const file = new SourceFile(filename, source);
  return parseTemplateAt(file, file, { line: 1, column: 1, byte: 0 });
}

/** The same for a text that was taken out of `file` at `at`. */
export function parseTemplateAt(buffer: SourceFile, file: SourceFile, at: ScanStart): ParsedExpression {
  const core = start(scanTemplate(buffer, file, at));
  const expr = parseWholeTemplate(core);
  return { expr, diagnostics: core.diagnostics };
}
