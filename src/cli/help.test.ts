/** All help in one file: a change of a command's usage or flags shows in review. To accept one: UPDATE_GOLDEN=1. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { page } from './cli-test-kit.ts';
import { showAll, showCommand, showGroup } from './help.ts';
import { aliases, commands } from './registry.ts';
import { createTerminal } from './terminal.ts';

const golden = join(import.meta.dirname, 'help.golden.txt');

function printed(show: (terminal: ReturnType<typeof createTerminal>) => number): {
  out: string;
  error: string;
  code: number;
} {
  let [out, error] = ['', ''];
  const terminal = createTerminal(
    { write: (text) => (out += text) },
    { write: (text) => (error += text) },
    { noColor: true, forceColor: false },
  );
  const code = show(terminal);
  return { out, error, code };
}

it('every command explains itself as in the golden file', async () => {
  const parts = [printed((terminal) => showAll(terminal, 0)).out];
  for (const name of Object.keys(commands).sort()) {
    const { command } = await commands[name]!.load();
    parts.push(`##### ${name}\n${printed((terminal) => showCommand(terminal, command)).out}`);
  }
  parts.push(
    `##### aliases\n${Object.entries(aliases)
      .map(([short, name]) => `${short} = ${name}\n`)
      .sort()
      .join('')}`,
  );
  const text = parts.join('\n');
  if (process.env['UPDATE_GOLDEN']) writeFileSync(golden, text);
  expect(text).toBe(readFileSync(golden, 'utf8'));
});

it('option texts fit a narrow terminal', async () => {
  const { command } = await commands['job run']!.load();
  const written = page(50);
  showCommand(written.terminal, command);
  const options = written.out.slice(written.out.indexOf('Options:'));
  for (const line of options.split('\n').filter((text) => text.startsWith('    ')))
    expect(line.length).toBeLessThanOrEqual(50);
});

it('every usage line begins with the words of its command, and every alias leads to a command', async () => {
  for (const [name, entry] of Object.entries(commands)) {
    const { command } = await entry.load();
    expect(command.usage === name || command.usage.startsWith(`${name} `), name).toBe(true);
  }
  for (const [short, name] of Object.entries(aliases)) expect(Object.keys(commands), short).toContain(name);
});

it('a group lists its commands; a slip of the pen is answered with the nearest name and 127', () => {
  expect(printed((terminal) => showGroup(terminal, ['node', 'pool']))).toMatchObject({ code: 0, error: '' });
  expect(printed((terminal) => showGroup(terminal, ['node', 'pool'])).out).toContain('node pool nodes');
  const slip = printed((terminal) => showGroup(terminal, ['job', 'statsu', 'web']));
  expect(slip.code).toBe(127);
  expect(slip.error).toContain('no command "statsu"; did you mean "status"?');
  expect(slip.out).toBe('');
  expect(printed((terminal) => showGroup(terminal, ['frobnicate']))).toMatchObject({ code: 127, out: '' });
});

it('words that name no command name what was meant', () => {
  const said = (...words: string[]) => printed((terminal) => showGroup(terminal, words)).error.split('\n')[0];
  expect(said('jbo', 'run')).toBe('drover: no command "jbo"; did you mean "job"?');
  expect(said('job', 'rnu')).toBe('drover job: no command "rnu"; did you mean "run"?');
  expect(said('-address=x', 'status')).toBe('drover: options stand behind the command: drover <command> -address=x');
});
