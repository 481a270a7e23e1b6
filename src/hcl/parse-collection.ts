import type { ParserCore } from './parser-core.ts';
import type { Expression, ObjectItem } from './syntax.ts';
import { exact, TupleNode } from './token-nodes.ts';
import { Tok } from './tokens.ts';

/** Reads `[a, b]` or `[for …]`; the next token is the bracket. */
export function parseTuple(core: ParserCore): Expression {
  const open = core.read();
  core.pushNewlines(false);
  const expr = core.peekIs('for') ? parseFor(core, open) : parseTupleItems(core, open);
  core.popNewlines();
  return expr;
}

function parseTupleItems(core: ParserCore, open: number): Expression {
  const items: Expression[] = [];
  const finish = (close: number): Expression => new TupleNode(core.tokens, open, close, exact(items));
  for (;;) {
    if (core.peekKind() === Tok.CloseBracket) return finish(core.read());
    const before = core.problems;
    items.push(core.expression());
    if (core.broken(before)) return finish(core.recover(Tok.CloseBracket));
    const next = core.peek();
    const kind = core.kind(next);
    if (kind === Tok.CloseBracket) return finish(core.read());
    if (kind !== Tok.Comma) {
      if (kind === Tok.End) {
        core.problemUnlessRecovering(
          core.range(open),
          'Unterminated tuple constructor expression',
          'this "[" has no "]" before the file ends',
        );
      } else {
        core.problemUnlessRecovering(
          core.range(next),
          'Missing item separator',
          'items of a list are separated by a comma',
        );
      }
      return finish(core.recover(Tok.CloseBracket));
    }
    core.read();
  }
}

/** Reads `{a = b}` or `{for …}`; the next token is the brace. */
export function parseObject(core: ParserCore): Expression {
  const open = core.read();
  core.pushNewlines(false);
  const isFor = core.peekIs('for');
  core.popNewlines();
  if (isFor) return parseFor(core, open);
  core.pushNewlines(true);
  const expr = parseObjectItems(core, open);
  core.popNewlines();
  return expr;
}

function parseObjectItems(core: ParserCore, open: number): Expression {
  const items: ObjectItem[] = [];
  const finish = (close: number): Expression => ({
    kind: 'object',
    items,
    openRange: core.range(open),
    range: core.tokens.between(open, close),
  });
  for (;;) {
    const first = core.peekKind();
    if (first === Tok.Newline) {
      core.read();
      continue;
    }
    if (first === Tok.CloseBrace) return finish(core.read());
    const item = parseObjectItem(core, open, first === Tok.OpenParen);
    if (item === undefined) return finish(core.recover(Tok.CloseBrace));
    items.push(item);
    const next = core.peek();
    const kind = core.kind(next);
    if (kind === Tok.CloseBrace) return finish(core.read());
    if (kind !== Tok.Comma && kind !== Tok.Newline) {
      if (kind === Tok.End) unterminatedObject(core, open);
      else
        core.problemUnlessRecovering(
          core.range(next),
          'Missing attribute separator',
          'items of an object are separated by a comma or a line end',
        );
      return finish(core.recover(Tok.CloseBrace));
    }
    core.read();
  }
}

function unterminatedObject(core: ParserCore, open: number): void {
  core.problemUnlessRecovering(
    core.range(open),
    'Unterminated object constructor expression',
    'this "{" has no "}" before the file ends',
  );
}

/** One `key = value`; nothing when the rest up to the brace has to be skipped. */
function parseObjectItem(core: ParserCore, open: number, keyIsExpression: boolean): ObjectItem | undefined {
  const before = core.problems;
  const key = core.expression();
  if (core.broken(before)) return undefined;
  const next = core.peek();
  const kind = core.kind(next);
  if (kind !== Tok.Equal && kind !== Tok.Colon) {
    if (kind === Tok.End) unterminatedObject(core, open);
    else if (kind === Tok.Newline || kind === Tok.Comma) {
      core.problemUnlessRecovering(
        core.range(next),
        'Missing attribute value',
        'an "=" and the value must follow the key',
      );
    } else {
      const hint = kind === Tok.Identifier ? '; a key with spaces or dots needs quotes' : '';
      core.problemUnlessRecovering(
        core.range(next),
        'Missing key/value separator',
        `an "=" must follow the key${hint}`,
      );
    }
    return undefined;
  }
  core.read();
  const beforeValue = core.problems;
  const value = core.expression();
  return core.broken(beforeValue) ? undefined : { key, keyIsExpression, value };
}

/** Reads a `for` expression after its opening bracket; the next token is the word `for`. */
function parseFor(core: ParserCore, open: number): Expression {
  core.pushNewlines(false);
  core.read();
  const makesObject = core.kind(open) === Tok.OpenBrace;
  const closer = makesObject ? Tok.CloseBrace : Tok.CloseBracket;
  const expr = parseForInside(core, open, closer, makesObject);
  core.popNewlines();
  return expr ?? core.placeholder(core.tokens.between(open, core.recover(closer)));
}

const forSummary = "Invalid 'for' expression";

function expectName(core: ParserCore, detail: string): string | undefined {
  const token = core.peek();
  if (core.kind(token) === Tok.Identifier) return core.tokens.text(core.read());
  core.problemUnlessRecovering(core.range(token), forSummary, detail);
  return undefined;
}

/** Names and collection: `k, v in x :`. Nothing when it is malformed. */
function parseForHead(core: ParserCore): { keyName?: string; valueName: string; collection: Expression } | undefined {
  let valueName = expectName(core, 'after "for" a name must follow');
  let keyName: string | undefined;
  if (valueName === undefined) return undefined;
  if (core.peekKind() === Tok.Comma) {
    core.read();
    keyName = valueName;
    valueName = expectName(core, 'after the comma the name of the value must follow');
    if (valueName === undefined) return undefined;
  }
  if (!core.peekIs('in')) {
    core.problemUnlessRecovering(core.range(core.peek()), forSummary, 'after the names "in" must follow');
    return undefined;
  }
  core.read();
  const before = core.problems;
  const collection = core.expression();
  if (core.broken(before)) return undefined;
  if (core.peekKind() !== Tok.Colon) {
    core.problemUnlessRecovering(core.range(core.peek()), forSummary, 'after the collection ":" must follow');
    return undefined;
  }
  core.read();
  return keyName === undefined ? { valueName, collection } : { keyName, valueName, collection };
}

function parseForInside(core: ParserCore, open: number, closer: number, makesObject: boolean): Expression | undefined {
  const head = parseForHead(core);
  if (head === undefined) return undefined;
  const before = core.problems;
  let value = core.expression();
  let key: Expression | undefined;
  if (core.peekKind() === Tok.FatArrow) {
    core.read();
    key = value;
    value = core.expression();
  }
  if (core.broken(before)) return undefined;
  const ellipsis = core.peekKind() === Tok.Ellipsis ? core.read() : undefined;
  let condition: Expression | undefined;
  if (core.peekIs('if')) {
    core.read();
    const beforeCondition = core.problems;
    condition = core.expression();
    if (core.broken(beforeCondition)) return undefined;
  }
  let close = core.peek();
  if (core.kind(close) === closer) core.read();
  else {
    core.problemUnlessRecovering(
      core.range(close),
      forSummary,
      `a "${makesObject ? '}' : ']'}" must end the "for" expression here`,
    );
    close = core.recover(closer);
  }
  checkForShape(core, makesObject, key, value, ellipsis);
  return {
    kind: 'for',
    keyName: head.keyName,
    valueName: head.valueName,
    collection: head.collection,
    key: makesObject ? (key ?? core.placeholder(value.range)) : undefined,
    value,
    condition,
    makesObject,
    group: ellipsis !== undefined,
    openRange: core.range(open),
    range: core.tokens.between(open, close),
  };
}

function checkForShape(
  core: ParserCore,
  makesObject: boolean,
  key: Expression | undefined,
  value: Expression,
  ellipsis: number | undefined,
): void {
  if (makesObject) {
    if (key === undefined) core.problem(value.range, forSummary, 'an object needs a key: write key => value');
    return;
  }
  if (key !== undefined)
    core.problem(key.range, forSummary, 'a list has no keys; write the value alone, or use { } for an object');
  if (ellipsis !== undefined)
    core.problem(core.range(ellipsis), forSummary, '"..." groups the values of an object; a list has nothing to group');
}
