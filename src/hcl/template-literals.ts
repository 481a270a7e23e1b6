import { trimSpaceStart } from './characters.ts';
import { countGraphemes, firstGraphemes } from './graphemes.ts';
import { SourceRange } from './source.ts';
import { utf8Length } from './string-literal.ts';
import type { TemplatePart } from './template-tree.ts';

type Literal = Extract<TemplatePart, { kind: 'literal' }>;

/** Takes the indentation that all lines of a `<<-` heredoc share off each of them. */
export function flushHeredoc(parts: TemplatePart[]): void {
  let least = Number.POSITIVE_INFINITY;
  let atLineStart = true;
  const indented: Literal[] = [];
  for (const part of parts) {
    if (atLineStart) {
      atLineStart = false;
      if (part.kind === 'literal') {
        const trimmed = trimSpaceStart(part.text);
        // A line of blanks alone says nothing about the indentation.
        if (trimmed !== '' || !part.text.endsWith('\n')) {
          indented.push(part);
          least = Math.min(least, countGraphemes(part.text.slice(0, part.text.length - trimmed.length)));
        }
      } else if (part.kind !== 'end') {
        least = 0;
      }
    }
    if (part.kind === 'literal' && part.text.endsWith('\n')) atLineStart = true;
  }
  if (least === 0 || least === Number.POSITIVE_INFINITY) return;
  for (const literal of indented) {
    const cut = firstGraphemes(literal.text, least);
    literal.text = literal.text.slice(cut.length);
    const { range } = literal;
    literal.range = new SourceRange(
      range.file,
      range.startLine,
      range.startColumn + least,
      range.startByte + utf8Length(cut),
      range.endLine,
      range.endColumn,
      range.endByte,
    );
  }
}

/** Literals in a row become one. */
export function meldLiterals(parts: TemplatePart[]): TemplatePart[] {
  const melded: TemplatePart[] = [];
  let run: Literal[] = [];
  const flush = (): void => {
    const first = run[0];
    if (first === undefined) return;
    melded.push({
      kind: 'literal',
      text: run.map((part) => part.text).join(''),
      range: first.range.to(run.at(-1)!.range),
    });
    run = [];
  };
  for (const part of parts) {
    if (part.kind === 'literal') run.push(part);
    else {
      flush();
      melded.push(part);
    }
  }
  flush();
  return melded;
}
