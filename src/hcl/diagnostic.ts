import { countGraphemes } from './graphemes.ts';
import type { SourceRange } from './source.ts';

/** One problem of a text: `summary` names it, `detail` says what was expected or what to do. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly summary: string;
  readonly detail: string;
  /** Absent when the problem has no place in a file. */
  readonly subject?: SourceRange | undefined;
}

export function errorAt(subject: SourceRange | undefined, summary: string, detail: string): Diagnostic {
  return { severity: 'error', summary, detail, subject };
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some((item) => item.severity === 'error');

/** `file:line,col-col: summary; detail`, in one line. A problem without a place starts with `<nil>`. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const place = diagnostic.subject === undefined ? '<nil>' : diagnostic.subject.toString();
  return `${place}: ${diagnostic.summary}; ${diagnostic.detail}`.replaceAll('\n', ' ');
}

const maxShown = 160;

/** The problem with its source line and a caret under the place; several lines, no line end at the last. */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const head = `${diagnostic.severity === 'error' ? 'Error' : 'Warning'}: ${diagnostic.summary}`;
  const range = diagnostic.subject;
  if (range === undefined) return `${head}\n  ${diagnostic.detail}`;
  const lines = [head, `  on ${range.filename} line ${range.startLine}, column ${range.startColumn}:`];
  const source = range.file.line(range.startLine);
  if (source.length <= maxShown) {
    const width = range.endLine === range.startLine ? range.endColumn - range.startColumn : 1;
    const room = Math.max(1, countGraphemes(source) - range.startColumn + 1);
    const number = `${range.startLine}`;
    const indent = source.slice(0, range.startColumn - 1).replace(/[^\t]/g, ' ');
    lines.push(`  ${number} | ${source}`);
    lines.push(`  ${' '.repeat(number.length)} | ${indent}${'^'.repeat(Math.min(Math.max(width, 1), room))}`);
  }
  lines.push(`  ${diagnostic.detail}`);
  return lines.join('\n');
}
