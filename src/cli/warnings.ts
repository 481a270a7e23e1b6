import type { Terminal } from './terminal.ts';

/** How the servers say that a block has no effect; `job-validate`'s clients have nothing but this text. */
const notServed = /is not served by this version/;
/** Shown with their places before (driver-config.ts). */
const driverConfig = /: config of driver "/;

/**
 * What the server warned about a job, before anything else is said of it. Where this version falls short of the reference that goes to
 * standard error: standard output stays as scripts know it.
 */
export function sayWarnings(terminal: Terminal, warnings: string): void {
  const all = warnings.split(/^\* /m).slice(1);
  const isOwn = (text: string): boolean => notServed.test(text) || driverConfig.test(text);
  const own = all.filter(isOwn);
  const known = all.filter((text) => !isOwn(text));
  const title = terminal.paint('yellow', 'Job Warnings:');
  if (warnings !== '' && own.length === 0) terminal.out(`${title}\n${warnings}\n`);
  else if (known.length > 0) {
    const list = known.map((text) => `* ${text.trimEnd()}\n`).join('');
    terminal.out(`${title}\n${known.length} warning${known.length === 1 ? '' : 's'}:\n\n${list}`);
  }
  for (const text of own.filter((each) => !driverConfig.test(each)))
    terminal.error(`${terminal.paint('yellow', 'Warning:')} ${text.trim()}`);
}
