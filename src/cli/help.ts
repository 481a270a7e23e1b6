/** Help that teaches: every command with what it does, every option with its default. */
import { nearestName } from '../hcl/suggest.ts';
import { clientFlags, displayFlags } from './client-flags.ts';
import type { Command } from './command.ts';
import type { FlagTable } from './flags.ts';
import { aliases, commands } from './registry.ts';
import { formatTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { wrap } from './wrap.ts';

const everyday = ['run', 'status', 'logs', 'stop', 'exec', 'agent', 'version'];

export function showAll(terminal: Terminal, exitCode: number): number {
  const write = exitCode === 0 ? terminal.out : terminal.error;
  const names = Object.keys({ ...commands, ...aliases });
  const groups = [...new Set(names.map((name) => name.split(' ')[0]!))]
    .filter((group) => !everyday.includes(group))
    .sort();
  const row = (name: string): [string, string] => [`    ${name}`, summaryOf(name)];
  write(
    [
      'Usage: drover <command> [options] [args]',
      '',
      'Everyday:',
      formatTable(everyday.filter((name) => names.includes(name)).map(row)),
      '',
      'Everything:',
      formatTable(groups.filter((group) => summaryOf(group) !== '').map(row)),
      '',
      'drover <command> -help explains one. An agent to try things on: drover agent -dev',
    ].join('\n'),
  );
  return exitCode;
}

/** Words that name no command: the group's members, or the nearest name. */
export function showGroup(terminal: Terminal, words: readonly string[]): number {
  const names = Object.keys(commands);
  // `node pool delet`: the longest beginning that still is a group
  let depth = 0;
  while (depth < words.length && names.some((name) => name.startsWith(`${words.slice(0, depth + 1).join(' ')} `)))
    depth++;
  const asked = words[depth];
  if (depth === 0) {
    const first = [...names, ...Object.keys(aliases)].map((name) => name.split(' ')[0]!);
    const problem = asked?.startsWith('-')
      ? `options stand behind the command: drover <command> ${asked}`
      : `no command "${asked}"${guess(asked ?? '', first)}`;
    terminal.error(`drover: ${problem}\n`);
    return showAll(terminal, 127);
  }
  const group = words.slice(0, depth).join(' ');
  const members = names.filter((name) => name.startsWith(`${group} `));
  const help = asked === undefined || /^-?-?h(elp)?$/.test(asked);
  if (!help) {
    const next = members.map((name) => name.split(' ')[depth]!);
    terminal.error(`drover ${group}: no command "${asked}"${guess(asked, next)}\n`);
  }
  const table = formatTable(members.sort().map((name) => [`    ${name}`, summaryOf(name)]));
  (help ? terminal.out : terminal.error)(`Usage: drover ${group} <command> [options] [args]\n\n${table}`);
  return help ? 0 : 127;
}

export function showCommand(terminal: Terminal, command: Command): number {
  const own = optionLines(command.flags, terminal.width);
  const general = optionLines(command.client ? clientFlags : displayFlags, terminal.width);
  const parts = [`Usage: drover ${command.usage}`, command.help.trim()];
  if (own !== '') parts.push(`Options:\n\n${own}`);
  parts.push(`General options:\n\n${general}`);
  terminal.out(parts.join('\n\n'));
  return 0;
}

function optionLines(flags: FlagTable, columns: number): string {
  const width = Math.max(20, Math.min(80, columns) - 4);
  return Object.entries(flags)
    .filter(([, spec]) => spec.hidden !== true)
    .map(
      ([name, spec]) =>
        `  -${name}${spec.kind === 'bool' ? '' : `=${spec.value ?? '<value>'}`}\n    ${wrap(spec.help, width).join('\n    ')}`,
    )
    .join('\n\n');
}

function summaryOf(name: string): string {
  const entry = commands[name] ?? commands[aliases[name] ?? ''];
  if (entry !== undefined) return entry.summary;
  const members = Object.keys(commands).filter((other) => other.startsWith(`${name} `));
  return members
    .map((other) => other.slice(name.length + 1))
    .sort()
    .join(', ');
}

function guess(word: string, known: readonly string[]): string {
  const nearest = nearestName(word, known);
  return nearest === undefined ? '' : `; did you mean "${nearest}"?`;
}
