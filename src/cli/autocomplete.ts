/** Tab completion: the shell runs this program with COMP_LINE set and takes each line of output as an offer. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { aliases, commands } from './registry.ts';
import type { Terminal } from './terminal.ts';

const marker = '# drover completion';
/** `-o default`: where nothing is offered the shell offers files. */
const line = `complete -o default -C drover drover ${marker}`;
const words = ['-autocomplete-install', '-autocomplete-uninstall'];
const zshLine = `autoload -U +X bashcompinit && bashcompinit && ${line}`;

/** `word`: `-autocomplete-install`, or `-autocomplete-uninstall`; what follows is not for them. */
export async function install([word = '', ...rest]: readonly string[], terminal: Terminal): Promise<number> {
  if (!words.includes(word) || rest.length > 0) {
    const asked = rest.length > 0 && rest.every((each) => /^--?h(elp)?$/.test(each));
    const about = `${words.join(' and ')} stand alone: the completion of drover is written into ~/.bashrc and ~/.zshrc, or taken out`;
    if (asked) terminal.out(about);
    else terminal.error(about);
    return asked ? 0 : 1;
  }
  const files = ['.bashrc', '.zshrc'].map((name) => join(homedir(), name)).filter(existsSync);
  if (files.length === 0) {
    terminal.error("no ~/.bashrc or ~/.zshrc found: put this line into your shell's start file:\n" + line);
    return 1;
  }
  for (const file of files) {
    const without = readFileSync(file, 'utf8')
      .split('\n')
      .filter((text) => !text.endsWith(marker))
      .join('\n');
    writeFileSync(file, without);
    if (word === '-autocomplete-install')
      appendFileSync(
        file,
        `${without.endsWith('\n') || without === '' ? '' : '\n'}${file.endsWith('.zshrc') ? zshLine : line}\n`,
      );
    terminal.out(`${word === '-autocomplete-install' ? 'installed in' : 'removed from'} ${file}; open a new shell`);
  }
  return 0;
}

export async function complete(typed: string, terminal: Terminal): Promise<number> {
  const words = typed.trimStart().split(/\s+/).slice(1);
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1).join(' ');
  const name = Object.hasOwn(commands, before) ? before : aliases[before];
  const offers = name === undefined ? nextWords(before) : await argumentsOf(name, last);
  for (const offer of offers.filter((text) => text.startsWith(last))) terminal.out(offer);
  return 0;
}

function nextWords(before: string): string[] {
  const start = before === '' ? '' : `${before} `;
  const names = [...Object.keys(commands), ...Object.keys(aliases)].filter((name) => name.startsWith(start));
  return [...new Set(names.map((name) => name.slice(start.length).split(' ')[0]!))].sort();
}

async function argumentsOf(name: string, last: string): Promise<string[]> {
  const { command } = await commands[name]!.load();
  if (last.startsWith('-')) {
    const { clientFlags, displayFlags } = await import('./client-flags.ts');
    return Object.keys({ ...command.flags, ...(command.client ? clientFlags : displayFlags) })
      .map((flag) => `-${flag}`)
      .sort();
  }
  if (command.complete === undefined || command.complete === 'files') return [];
  // what is no built-in driver is a file: the shell offers those itself
  if (command.complete === 'drivers') return [...(await import('../agent/built-in-drivers.ts')).builtInNames];
  return (await import('./complete-ids.ts')).idsWithPrefix(command.complete, last);
}
