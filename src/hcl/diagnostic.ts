import { displayWidth } from '../lib/display-width.ts';
import { splitGraphemes } from './graphemes.ts';
import type { SourceRange } from './source.ts';

/** One problem of a text: `summary` names it, `detail` says what was expected or what to do. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly summary: string;
  readonly detail: string;
  /** Where it is; of what is missing, where it belongs or what asks for it; of a value from outside of files, that value. */
  readonly subject: SourceRange;
  /** Only follows from another problem: counted where the reference counts it, left out where people read. */
  readonly echo?: true;
}

export function errorAt(subject: SourceRange, summary: string, detail: string): Diagnostic {
  return { severity: 'error', summary, detail, subject };
}

export const echoAt = (subject: SourceRange, summary: string, detail: string): Diagnostic => ({
  ...errorAt(subject, summary, detail),
  echo: true,
});

/** Those that say something new: no echoes, and of several at one place the first. */
export function tellingDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const places = new Set<string>();
  const telling = diagnostics.filter((item) => {
    if (item.echo === true) return false;
    const place = `${item.severity} ${item.subject.filename}:${item.subject.startByte}`;
    return !places.has(place) && places.add(place);
  });
  return telling.length > 0 ? telling : [...diagnostics];
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some((item) => item.severity === 'error');

/** `file:line,col-col: summary; detail`, in one line. */
export function formatDiagnostic({ subject, summary, detail }: Diagnostic): string {
  return `${subject}: ${summary}; ${detail}`.replaceAll('\n', ' ');
}

const maxShown = 160;

/** Control characters as pictures: they move no cursor and colour nothing. */
const visible = (text: string): string =>
  text.replace(/[\0-\x08\x0a-\x1f\x7f-\x9f]/g, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '\u2421' : '\ufffd';
  });

/** The problem with its source line and a caret under the place; several lines, no line end at the last. */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const head = `${diagnostic.severity === 'error' ? 'Error' : 'Warning'}: ${visible(diagnostic.summary)}`;
  const range = diagnostic.subject;
  const detail = `  ${diagnostic.detail.split('\n').map(visible).join('\n  ')}`;
  const lines = [head, `  on ${visible(range.filename)} line ${range.startLine}, column ${range.startColumn}:`];
  const source = range.file.line(range.startLine);
  if (source.length <= maxShown) {
    const characters = splitGraphemes(source).map(visible);
    const end = range.endLine === range.startLine ? range.endColumn : range.startColumn + 1;
    const marked = characters.slice(range.startColumn - 1, Math.max(end, range.startColumn + 1) - 1).join('');
    const before = characters
      .slice(0, range.startColumn - 1)
      .map((char) => (char === '\t' ? char : ' '.repeat(displayWidth(char))));
    const number = `${range.startLine}`;
    lines.push(`  ${number} | ${characters.join('')}`);
    lines.push(`  ${' '.repeat(number.length)} | ${before.join('')}${'^'.repeat(Math.max(1, displayWidth(marked)))}`);
  }
  lines.push(detail);
  return lines.join('\n');
}
