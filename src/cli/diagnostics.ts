import { type Diagnostic, formatDiagnostic, renderDiagnostic, tellingDiagnostics } from '../hcl/index.ts';
import type { Terminal } from './terminal.ts';

/** All of them, one line each, in a pipe; on a terminal those that say something new, with their source lines. */
export function showDiagnostics(terminal: Terminal, diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of terminal.isTty ? tellingDiagnostics(diagnostics) : diagnostics) {
    const warning = diagnostic.severity === 'warning';
    const text = terminal.isTty
      ? `${renderDiagnostic(diagnostic)}\n`
      : `${warning ? 'Warning: ' : ''}${formatDiagnostic(diagnostic)}`;
    terminal.error(terminal.isTty ? terminal.paint(warning ? 'yellow' : 'red', text) : text);
  }
}
