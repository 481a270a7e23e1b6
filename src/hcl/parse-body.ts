import { AttributeMap } from './attribute-map.ts';
import type { ParserCore } from './parser-core.ts';
import type { SourceRange } from './source.ts';
import { parseQuotedLabel } from './string-literal.ts';
import type { Attribute, Block, Body } from './syntax.ts';
import { AttributeNode, BlockNode, BodyNode, exact } from './token-nodes.ts';
import { Tok } from './tokens.ts';

/** Recorded answers of the API and the command line hold these texts: they stay as they are. */
const unclosed =
  'There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.';

const itemSummary = 'Argument or block definition required';

/** Reads the attributes and blocks up to `end`, which is read too. */
export function parseBody(core: ParserCore, end: number): Body {
  let attributes: AttributeMap | undefined;
  let blocks: Block[] | undefined;
  const first = core.previous();
  const made = (last: number): Body =>
    new BodyNode(core.tokens, first, last, attributes?.trimmed(), blocks && exact(blocks));
  for (;;) {
    const token = core.peek();
    const kind = core.kind(token);
    if (kind === end) {
      core.read();
      return made(token);
    }
    if (kind === Tok.Newline) {
      core.read();
    } else if (kind === Tok.Identifier) {
      const item = parseItem(core);
      if (item === undefined) continue;
      if ('body' in item) {
        blocks ??= [];
        blocks.push(item);
      } else {
        attributes ??= new AttributeMap();
        addAttribute(core, attributes, item);
      }
    } else {
      core.read();
      if (!core.recovering) refuseItem(core, token, kind, core.range(first));
      core.recover(end);
      return made(token);
    }
  }
}

function addAttribute(core: ParserCore, attributes: AttributeMap, item: Attribute): void {
  const existing = attributes.add(item);
  if (existing === undefined) return;
  core.problem(item.nameRange, 'Attribute redefined', `"${item.name}" was set already at ${existing.nameRange}`);
}

function refuseItem(core: ParserCore, token: number, kind: number, start: SourceRange): void {
  if (kind === Tok.OpenQuote)
    core.problem(core.range(token), 'Invalid argument name', 'the name of an argument has no quotes');
  else if (kind === Tok.End) {
    core.problem(start, 'Unclosed configuration block', unclosed + misplaced(core));
  } else if (kind === Tok.CloseBrace)
    core.problem(core.range(token), itemSummary, `this "}" closes nothing.${misplaced(core)}`);
  else core.problem(core.range(token), itemSummary, 'the name of an argument or a block must start here');
}

/** Remembers the first brace that closes, by its indentation, another block than it does. */
function noteBrace(core: ParserCore, name: number, close: number): void {
  const { lines, columns, kinds } = core.tokens;
  if (core.misplacedBrace !== undefined || kinds[close] !== Tok.CloseBrace || lines[name] === lines[close]) return;
  // Only a brace that stands first on its line, and a block that does, say something by where they stand.
  const first = (token: number): boolean => token === 0 || lines[token - 1]! < lines[token]!;
  if (columns[name] !== columns[close] && first(close) && (first(name) || kinds[name - 1] === Tok.Newline))
    core.misplacedBrace = { block: name, brace: close };
}

function misplaced(core: ParserCore): string {
  const found = core.misplacedBrace;
  if (found === undefined) return '';
  const [block, brace] = [core.range(found.block), core.range(found.brace)];
  return ` The "}" on line ${brace.startLine} closes "${core.tokens.text(found.block)}" of line ${block.startLine}, but does not stand below it: look there first.`;
}

function parseItem(core: ParserCore): Attribute | Block | undefined {
  const name = core.read();
  switch (core.peekKind()) {
    case Tok.Equal:
      return parseAttribute(core, name, false);
    case Tok.OpenQuote:
    case Tok.OpenBrace:
    case Tok.Identifier:
      return parseBlock(core, name);
    default:
      return refuseName(core, name);
  }
}

function refuseName(core: ParserCore, name: number): undefined {
  const colon = core.peekKind() === Tok.Colon;
  core.recoverAfterItem();
  const detail = colon
    ? `write "=" instead of ":" between the name and its value`
    : 'after a name "=" and a value must follow, or a block in braces';
  core.problem(core.range(name), itemSummary, detail);
  return undefined;
}

function parseAttribute(core: ParserCore, name: number, singleLine: boolean): AttributeNode {
  core.read();
  const before = core.problems;
  const expr = core.expression();
  const attribute = new AttributeNode(core.tokens, name, core.previous(), expr);
  if (core.broken(before)) {
    core.recoverAfterItem();
    return attribute;
  }
  if (singleLine) return attribute;
  const next = core.peek();
  const kind = core.kind(next);
  if (kind === Tok.Newline || kind === Tok.End) {
    core.read();
    return attribute;
  }
  if (kind === Tok.Comma) {
    core.problemUnlessRecovering(
      core.range(next),
      'Unexpected comma after argument',
      'arguments end with their line, without a comma',
    );
  } else {
    core.problemUnlessRecovering(core.range(next), 'Missing newline after argument', 'an argument ends with its line');
  }
  core.recoverAfterItem();
  return attribute;
}

const noLabels: readonly string[] = [];
const noSpans: readonly number[] = [];

function parseBlock(core: ParserCore, name: number): Block {
  if (core.peekKind() === Tok.OpenBrace) return parseBlockBody(core, name, noLabels, noSpans);
  const labels: string[] = [];
  const spans: number[] = [];
  for (;;) {
    const token = core.peek();
    const kind = core.kind(token);
    if (kind === Tok.OpenBrace) return parseBlockBody(core, name, exact(labels), exact(spans));
    if (kind === Tok.OpenQuote) {
      const { text, last } = parseQuotedLabel(core);
      labels.push(text);
      spans.push(token, last);
    } else if (kind === Tok.Identifier) {
      core.read();
      labels.push(core.tokens.text(token));
      spans.push(token, token);
    } else {
      refuseHeader(core, token, kind);
      core.recoverAfterItem();
      const at = { type: name, labels: spans, open: name, close: name };
      return new BlockNode(core.tokens, at, labels, new BodyNode(core.tokens, name, name));
    }
  }
}

function refuseHeader(core: ParserCore, token: number, kind: number): void {
  const summary = 'Invalid block definition';
  const range = core.range(token);
  if (kind === Tok.Equal) core.problem(range, summary, 'a block has no "="; write an argument as name = value');
  else if (kind === Tok.Newline) core.problem(range, summary, 'the "{" of a block must stand on the line of its name');
  else core.problemUnlessRecovering(range, summary, 'a label in quotes or "{" must follow');
}

function parseBlockBody(core: ParserCore, name: number, labels: readonly string[], spans: readonly number[]): Block {
  const { tokens } = core;
  const open = core.read();
  if (!core.enter()) {
    core.leave();
    const at = { type: name, labels: spans, open, close: open };
    return new BlockNode(tokens, at, labels, new BodyNode(tokens, open, open));
  }
  const first = core.peekKind();
  const plain = first === Tok.Newline || first === Tok.End || first === Tok.CloseBrace;
  const body = plain ? parseBody(core, Tok.CloseBrace) : parseOneLine(core, open);
  const close = core.previous();
  noteBrace(core, name, close);
  core.leave();
  const next = core.peek();
  const kind = core.kind(next);
  if (kind === Tok.Newline || kind === Tok.End) core.read();
  else {
    core.problemUnlessRecovering(
      core.range(next),
      'Missing newline after block definition',
      'a block ends with its line',
    );
    core.recoverAfterItem();
  }
  return new BlockNode(tokens, { type: name, labels: spans, open, close }, labels, body);
}

/** The inside of `name { key = value }` and its closing brace. */
function parseOneLine(core: ParserCore, open: number): Body {
  const attribute = parseOneLineAttribute(core);
  const next = core.peek();
  const kind = core.kind(next);
  if (kind === Tok.CloseBrace) core.read();
  else {
    refuseOneLine(core, next, kind, core.range(open));
    core.recover(Tok.CloseBrace);
  }
  if (attribute === undefined) return new BodyNode(core.tokens, open, core.previous());
  return new BodyNode(core.tokens, attribute.first, attribute.last, oneAttribute(attribute));
}

function oneAttribute(attribute: Attribute): AttributeMap {
  const attributes = new AttributeMap();
  attributes.add(attribute);
  return attributes.trimmed();
}

function refuseOneLine(core: ParserCore, token: number, kind: number, open: SourceRange): void {
  const summary = 'Invalid single-argument block definition';
  const range = core.range(token);
  if (kind === Tok.Comma)
    core.problem(range, summary, 'a block on one line holds one argument; give each its own line');
  else if (kind === Tok.Newline)
    core.problem(range, summary, 'a block that starts on one line with its argument must end on it: "}" is missing');
  else if (kind === Tok.End) core.problemUnlessRecovering(open, 'Unclosed configuration block', unclosed);
  else core.problemUnlessRecovering(range, summary, 'after its one argument the block must end with "}"');
}

function parseOneLineAttribute(core: ParserCore): AttributeNode | undefined {
  const name = core.read();
  if (core.kind(name) !== Tok.Identifier) {
    core.recoverAfterItem();
    core.problem(core.range(name), itemSummary, 'the name of an argument must start here');
    return undefined;
  }
  const next = core.peek();
  switch (core.kind(next)) {
    case Tok.Equal:
      return parseAttribute(core, name, true);
    case Tok.OpenQuote:
    case Tok.OpenBrace:
    case Tok.Identifier:
      core.recoverAfterItem();
      core.problem(
        core.tokens.between(name, next),
        'Argument definition required',
        `A single-line block definition can contain only a single argument. If you meant to define argument "${core.tokens.text(name)}", use an equals sign to assign it a value. To define a nested block, place it on a line of its own within its parent block.`,
      );
      return undefined;
    default:
      core.recoverAfterItem();
      core.problem(core.range(name), itemSummary, 'after a name "=" and a value must follow');
      return undefined;
  }
}
