import { type Diagnostic, formatDiagnostic, renderDiagnostic, tellingDiagnostics } from '../hcl/index.ts';
import type { Terminal } from './terminal.ts';

/** A file that is something else altogether has thousands: nobody reads them, and the first ones scroll away. */
const mostShown = { terminal: 20, pipe: 200 };

/** One line each in a pipe; on a terminal those that say something new, with their source lines. What is too many is counted. */
export function diagnosticTexts({ isTty }: Terminal, diagnostics: readonly Diagnostic[]): string[] {
  const [all, most] = isTty ? [tellingDiagnostics(diagnostics), mostShown.terminal] : [diagnostics, mostShown.pipe];
  const texts = all.slice(0, most).map(isTty ? renderDiagnostic : formatDiagnostic);
  return all.length > most ? [...texts, `… and ${all.length - most} more`] : texts;
}

export function showDiagnostics(terminal: Terminal, diagnostics: readonly Diagnostic[]): void {
  for (const severity of ['error', 'warning'] as const) {
    const warning = severity === 'warning';
    const texts = diagnosticTexts(
      terminal,
      diagnostics.filter((item) => item.severity === severity),
    );
    for (const text of texts)
      terminal.error(
        terminal.isTty
          ? terminal.paint(warning ? 'yellow' : 'red', `${text}\n`)
          : `${warning ? 'Warning: ' : ''}${text}`,
      );
  }
}
