/** Lines of an agent's JSON log as `drover driver dev` shows them: the calls of one driver, what it logs, and what goes wrong. */
import type { Terminal } from './terminal.ts';

interface Entry {
  readonly '@level': string;
  readonly '@message': string;
  readonly '@module'?: string;
  readonly [field: string]: unknown;
}

/** Takes whole lines. `all`: those of the rest of the agent too. */
export function callLine(terminal: Terminal, driver: string, all: boolean): (text: string) => void {
  return (text) => {
    for (const line of text.split('\n')) {
      const shown = line === '' ? null : shownLine(terminal, driver, all, line);
      if (shown !== null) terminal.out(shown);
    }
  };
}

function shownLine(terminal: Terminal, driver: string, all: boolean, line: string): string | null {
  let entry: Entry;
  try {
    entry = JSON.parse(line) as Entry;
  } catch {
    return line;
  }
  const ofDriver = (entry['@module'] ?? '').endsWith(`plugin.${driver}`);
  if (ofDriver && entry['@message'] === 'call') return callOf(terminal, entry);
  const level = entry['@level'];
  if (!all && !ofDriver && level !== 'warn' && level !== 'error') return null;
  const fields = Object.entries(entry).filter(([name]) => !name.startsWith('@'));
  const rest = fields.map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const mark = level === 'error' ? terminal.paint('red', level) : level;
  return `  ${mark.padEnd(5)} ${ofDriver ? '' : `${entry['@module'] ?? ''}: `}${entry['@message']}${rest.join('')}`;
}

function callOf(terminal: Terminal, entry: Entry): string {
  const { hook, task, ms, waiting, fault, text, result } = entry;
  const head = `${String(hook).padEnd(8)} ${String(task)}`;
  if (waiting !== undefined) return `${terminal.paint('bold', head)}  …`;
  const took = ms === undefined ? '' : `  ${String(ms)} ms`;
  if (fault === undefined) return `${terminal.paint('bold', head)}  ${String(result)}${took}`;
  return `${terminal.paint('bold', head)}  ${terminal.paint('red', `${String(fault)}: ${String(text)}`)}${took}`;
}
