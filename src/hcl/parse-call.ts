import type { ParserCore } from './parser-core.ts';
import type { SourceRange } from './source.ts';
import type { Expression } from './syntax.ts';
import { CallNode, exact } from './token-nodes.ts';
import { Tok } from './tokens.ts';

/** Reads a function call after its name; the next token is `(` or `::`. */
export function parseCall(core: ParserCore, first: number): Expression {
  let name = core.tokens.name(first);
  let last = first;
  let open = core.read();
  while (core.kind(open) === Tok.DoubleColon) {
    const next = core.read();
    if (core.kind(next) !== Tok.Identifier) {
      core.problem(core.range(next), 'Missing function name', 'after "::" the name of a function must follow');
      core.recoverOver(Tok.OpenParen);
      return core.placeholder(core.tokens.between(first, next));
    }
    name += `::${core.tokens.text(next)}`;
    last = next;
    open = core.read();
  }
  if (core.kind(open) !== Tok.OpenParen) {
    core.problem(
      core.range(open),
      'Missing open parenthesis',
      'after the name of the function "(" and the arguments must follow',
    );
    core.recoverOver(Tok.OpenParen);
    return core.placeholder(core.tokens.between(first, open));
  }
  core.pushNewlines(false);
  const { args, close, expandFinal } = parseArguments(core, core.tokens.between(first, open));
  core.popNewlines();
  return new CallNode(core.tokens, { first, last, open, close: close ?? open }, name, exact(args), expandFinal);
}

interface Arguments {
  readonly args: Expression[];
  /** Index of the closing parenthesis, if one was found. */
  readonly close: number | undefined;
  readonly expandFinal: boolean;
}

function parseArguments(core: ParserCore, header: SourceRange): Arguments {
  const args: Expression[] = [];
  for (;;) {
    if (core.peekKind() === Tok.CloseParen) return { args, close: core.read(), expandFinal: false };
    const before = core.problems;
    args.push(core.expression());
    if (core.broken(before)) {
      const found = core.recover(Tok.CloseParen);
      return { args, close: core.kind(found) === Tok.CloseParen ? found : undefined, expandFinal: false };
    }
    const separator = core.read();
    const kind = core.kind(separator);
    if (kind === Tok.CloseParen) return { args, close: separator, expandFinal: false };
    if (kind === Tok.Ellipsis) return { args, close: closeAfterEllipsis(core, separator), expandFinal: true };
    if (kind !== Tok.Comma) {
      missingSeparator(core, separator, header);
      return { args, close: core.recover(Tok.CloseParen), expandFinal: false };
    }
  }
}

function closeAfterEllipsis(core: ParserCore, ellipsis: number): number {
  if (core.peekKind() === Tok.CloseParen) return core.read();
  core.problemUnlessRecovering(
    core.range(ellipsis),
    'Missing closing parenthesis',
    'after an argument with "..." nothing but ")" may follow',
  );
  return core.recover(Tok.CloseParen);
}

function missingSeparator(core: ParserCore, token: number, header: SourceRange): void {
  if (core.kind(token) === Tok.End) {
    core.problem(
      header,
      'Unterminated function call',
      'this call has no ")" before the file ends; look for a parenthesis too many further down',
    );
  } else {
    core.problem(core.range(token), 'Missing argument separator', 'arguments are separated by a comma');
  }
}
