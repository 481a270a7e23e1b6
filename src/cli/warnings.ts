import type { Terminal } from './terminal.ts';

/** What the server warned about a job, before anything else is said of it. */
export function sayWarnings(terminal: Terminal, warnings: string): void {
  if (warnings !== '') terminal.out(`${terminal.paint('yellow', 'Job Warnings:')}\n${warnings}\n`);
}
