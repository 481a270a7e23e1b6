import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { builtInNames } from '../agent/built-in-drivers.ts';
import { type CheckReport, type CheckRow, checkDriver } from '../driver-kit/check/check-driver.ts';
import { type CheckFile, readCheckFile } from '../driver-kit/check/check-file.ts';
import { isFault } from '../lib/fault.ts';
import { createLog } from '../lib/log.ts';
import { type Command, CommandError, Interrupted } from './command.ts';
import { showDiagnostics } from './diagnostics.ts';
import { isDriverFile, pluginCommand } from './driver-file.ts';
import type { Terminal } from './terminal.ts';

export const command: Command = {
  usage: 'driver check [options] <file|command…>',
  help: `Runs the conformance suite against a driver as a plugin process, in whatever language it is written, and hurts it on the way: kills it in
the middle of starts and stops and while tasks run, holds it up for seconds, gives calls up, restarts its host. Every task carries a mark
in its environment: what is left behind is found and named. Exits with 1 if a case failed.

  drover driver check driver.js                a driver's file
  drover driver check ./my-driver --flag       any executable that speaks the plugin protocol
  drover driver check exec                     one of this program's own

How tasks of the driver are made is told by driver.check.hcl (for driver.js; or -tasks). A block gives a task's config { … }:

  ends     { script = "exit \${code}" }                  ends at once with this code
  runs     { script = "sleep \${seconds}" }              runs so long (\${ms} too), ends with 0, and ends at a signal
  stubborn { script = "trap '' INT; sleep 60" }         does not heed SIGINT
  fails    { script = "x", shell = "/no/such" }         cannot be started
  says     { script = "echo \${text}" }                  prints this to stdout
  execs    { script = "sleep 60" }                      a command inside of it …
  command = ["sh", "-c", "echo out; exit 4"]            … prints "out" and ends with 4
  plugin   { … }                                        the operator's options
  excuse "name of a case" { reason = "…" }

What is left out is not run, and the report says so. A driver whose options are command and args needs no file.`,
  flags: {
    tasks: { kind: 'string', value: '<path>', help: 'The file that says how tasks are made.' },
    only: { kind: 'strings', value: '<text>', help: 'Only cases whose name contains this; may be repeated.' },
    json: { kind: 'bool', help: 'The report as JSON.' },
    verbose: { kind: 'bool', help: "Show what the plugin logs, and every passed case's time." },
  },
  client: false,
  complete: 'drivers',
  async run({ args, flags, terminal, interrupted }) {
    const [first] = args;
    if (first === undefined) throw new CommandError('This command takes a file, the name of a driver, or a command');
    const file = taskFile(flags.string('tasks') ?? besides(first), terminal);
    const quiet = flags.bool('json');
    const log = createLog(
      '',
      (entry) => {
        if (flags.bool('verbose'))
          terminal.error(`  [${entry.level}] ${entry.message} ${JSON.stringify(entry.fields)}`);
      },
      Date.now,
    );
    const state = scratchState();
    const words = pluginCommand(args, builtInNames, state);
    let group = '';
    const row = (each: CheckRow): void => {
      if (quiet) return;
      if (each.group !== group) terminal.out(`${group === '' ? '' : '\n'}${headings[each.group]}`);
      group = each.group;
      terminal.out(line(terminal, each));
    };
    const only = flags.strings('only');
    const options = first === 'raw_exec' ? { enabled: true } : {};
    try {
      const report = await checkDriver({
        command: words,
        file,
        options,
        log,
        row,
        signal: interrupted,
        only,
      });
      // what was not looked at did not pass
      if (interrupted.aborted) throw new Interrupted();
      terminal.out(quiet ? JSON.stringify(report, undefined, 2) : summary(terminal, report));
      return report.rows.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
    } catch (error) {
      if (isFault(error)) throw new CommandError(`${args.join(' ')}: ${error.message}`);
      throw error;
    } finally {
      rmSync(state, { recursive: true, force: true, maxRetries: 5 });
    }
  },
};

/** Passable: the verifier and tasks of other users come through it. */
function scratchState(): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-check-'));
  chmodSync(directory, 0o711);
  return directory;
}

const headings = {
  driver: 'What every driver does',
  process: 'What its process does',
  faults: 'What it bears',
} as const;

/** `driver.js` → `driver.check.hcl`, where that is there. */
function besides(word: string): string | undefined {
  const path = `${isDriverFile(word) ? word.replace(/\.[cm]?[jt]s$/, '') : word}.check.hcl`;
  return existsSync(path) ? path : undefined;
}

function taskFile(path: string | undefined, terminal: Terminal): CheckFile | null {
  if (path === undefined) return null;
  if (!existsSync(path)) throw new CommandError(`there is no file ${path}`);
  const read = readCheckFile(readFileSync(resolve(path)), path);
  if (read.ok) return read.file;
  showDiagnostics(terminal, read.diagnostics);
  throw new CommandError(`${path} cannot be used`);
}

function line(terminal: Terminal, { outcome, name, ms, reason }: CheckRow): string {
  const seconds = ms >= 1000 ? ` (${(ms / 1000).toFixed(1)} s)` : '';
  if (outcome === 'passed') return `  ${terminal.paint('green', 'ok')}       ${name}${seconds}`;
  const mark = outcome === 'failed' ? terminal.paint('red', 'FAILED') : outcome;
  const indented = reason
    .split('\n')
    .filter((text) => text.trim() !== '')
    .slice(0, 12)
    .join('\n             ');
  return `  ${mark.padEnd(8)} ${name}${seconds}\n             ${indented}`;
}

function summary(terminal: Terminal, { driver, version, readyMs, can, tasksKnown, rows }: CheckReport): string {
  const count = (outcome: CheckRow['outcome']): number => rows.filter((row) => row.outcome === outcome).length;
  const [failed, skipped, excused] = [count('failed'), count('skipped'), count('excused')];
  const hint = tasksKnown ? '' : '\nNothing says how tasks of this driver are made: see drover driver check -help';
  const verdict = failed > 0 ? terminal.paint('red', `${failed} failed`) : terminal.paint('green', 'all passed');
  const rest = [
    `${count('passed')} passed`,
    ...(skipped > 0 ? [`${skipped} not run`] : []),
    ...(excused > 0 ? [`${excused} excused`] : []),
  ];
  return `\n${driver} ${version}: ${failed > 0 ? `${verdict}, ` : skipped + excused > 0 ? '' : `${verdict}: `}${rest.join(', ')}. Ready in ${readyMs} ms; has ${can.join(', ') || 'no optional call'}.${hint}`;
}
