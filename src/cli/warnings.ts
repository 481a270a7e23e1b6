import type { Terminal } from './terminal.ts';

/** How the servers say that a block has no effect; `job-validate`'s clients have nothing but this text. */
const notServed = /is not served by this version/;

/**
 * What the server warned about a job, before anything else is said of it. Where this version falls short of the reference that goes to
 * standard error: standard output stays as scripts know it.
 */
export function sayWarnings(terminal: Terminal, warnings: string): void {
  const all = warnings.split(/^\* /m).slice(1);
  const own = all.filter((text) => notServed.test(text));
  const known = all.filter((text) => !notServed.test(text));
  const title = terminal.paint('yellow', 'Job Warnings:');
  if (warnings !== '' && own.length === 0) terminal.out(`${title}\n${warnings}\n`);
  else if (known.length > 0) {
    const list = known.map((text) => `* ${text.trimEnd()}\n`).join('');
    terminal.out(`${title}\n${known.length} warning${known.length === 1 ? '' : 's'}:\n\n${list}`);
  }
  for (const text of own) terminal.error(`${terminal.paint('yellow', 'Warning:')} ${text.trim()}`);
}
