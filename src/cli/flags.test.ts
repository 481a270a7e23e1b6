import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FlagTable, parseFlags } from './flags.ts';

const table: FlagTable = {
  detach: { kind: 'bool', help: '' },
  task: { kind: 'string', help: '' },
  n: { kind: 'int', help: '' },
  wait: { kind: 'duration', help: '' },
  var: { kind: 'strings', help: '' },
};

function parsed(...words: string[]) {
  const result = parseFlags(words, table);
  if ('problem' in result) throw new Error(result.problem);
  return result;
}

describe('flags', () => {
  it('take one or two dashes, and values behind = or as the next word', () => {
    for (const words of [['-task=web'], ['--task=web'], ['-task', 'web'], ['--task', 'web']])
      expect(parsed(...words).flags.string('task')).toBe('web');
  });

  it('names the flag that an unknown one is near to', () => {
    expect(parseFlags(['-detahc'], table)).toEqual({
      problem: 'flag provided but not defined: -detahc; did you mean -detach?',
    });
    expect(parseFlags(['-other'], table)).toEqual({ problem: 'flag provided but not defined: -other' });
  });

  it('end at the first word that is none, so that a remote command keeps its own', () => {
    const { flags, rest } = parsed('-task', 'web', 'abc', '-n', '5');
    expect(flags.given('n')).toBe(false);
    expect(rest).toEqual(['abc', '-n', '5']);
    expect(parsed('--', '-task').rest).toEqual(['-task']);
    expect(parsed('-').rest).toEqual(['-']);
  });

  it('read booleans only with =', () => {
    expect(parsed('-detach', 'false').rest).toEqual(['false']);
    expect(parsed('-detach=false').flags.bool('detach', true)).toBe(false);
    expect(parsed('-detach').flags.bool('detach')).toBe(true);
  });

  it('are repeated where that is meant', () => {
    expect(parsed('-var', 'a=1', '-var=b=2').flags.strings('var')).toEqual(['a=1', 'b=2']);
  });

  it('say what is wrong with them', () => {
    const problem = (...words: string[]) => (parseFlags(words, table) as { problem?: string }).problem;
    expect(problem('-nope')).toBe('flag provided but not defined: -nope');
    expect(problem('-task')).toBe('flag needs an argument: -task');
    expect(problem('-n=x')).toContain('"x"');
    expect(problem('-wait=5')).toContain('-wait');
    expect(problem('-detach=perhaps')).toContain('"perhaps"');
  });

  it('never throw, whatever the words', () => {
    fc.assert(fc.property(fc.array(fc.string()), (words) => typeof parseFlags(words, table) === 'object'));
  });
});
