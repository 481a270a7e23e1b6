import { describe, expect, it } from 'vitest';
import { linesOf } from '../model/isolation-ladder.ts';
import type { IsolationReport } from '../model/isolation-report.ts';
import { page } from './cli-test-kit.ts';
import { taskIsolation } from './isolation-view.ts';

const { terminal } = page();
const lines = [...linesOf.process, ...linesOf.sandbox];

function report(more: Partial<IsolationReport>, lost: Readonly<Record<string, string>> = {}): IsolationReport {
  return {
    rung: 'sandbox',
    wanted: 'sandbox',
    floor: 'process',
    runtime: 'bwrap 0.8.0',
    mechanisms: lines.map((name) => ({
      name,
      state: name in lost ? 'unavailable' : 'verified',
      evidence: lost[name] ?? `${name} was seen`,
      checkedAt: '2026-11-30T00:00:00Z',
    })),
    ...more,
  };
}

describe('the isolation of a task, in alloc status', () => {
  it('is left out where nothing was wanted and nothing is given', () => {
    expect(taskIsolation(terminal, report({ rung: 'none', wanted: 'none', mechanisms: [] }), true)).toBe('');
    expect(taskIsolation(terminal, report({ rung: 'none', mechanisms: [] }), false)).not.toBe('');
  });

  it('names rung and runtime, what was wanted, the floor with its required lines, and how much was verified', () => {
    expect(taskIsolation(terminal, report({ required: ['pids', 'seccomp'] }), false)).toBe(
      `Task Isolation:
Rung     = sandbox by bwrap 0.8.0
Wanted   = sandbox
Floor    = process, pids, seccomp
Verified = ${lines.length} of ${lines.length} lines`,
    );
  });

  it('names what is missing with evidence and remedy: three of it, and all when asked', () => {
    const lost = Object.fromEntries(linesOf.sandbox.slice(0, 5).map((name) => [name, `no ${name} here`]));
    const given = report({ rung: 'process' }, lost);
    const missing = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('Missing'));
    const short = taskIsolation(terminal, given, false);
    expect(missing(short)).toHaveLength(3);
    expect(short).toContain(`Verified = ${lines.length - 5} of ${lines.length} lines`);
    for (const line of missing(short)) expect(line).toMatch(/^Missing +(= )?(\w+) — no \2 here; fix: \S/);
    const long = taskIsolation(terminal, given, true);
    expect(missing(long)).toHaveLength(5);
    expect(long).toMatch(/^Line +State +Evidence$/m);
    for (const name of lines) expect(long).toMatch(new RegExp(`^${name} +(verified|unavailable) +`, 'm'));
  });

  it('counts nothing as missing that the job gave up itself', () => {
    const [first = ''] = linesOf.sandbox;
    const mechanisms = report({}).mechanisms.map((each) =>
      each.name === first ? { ...each, state: 'not_asked' as const } : each,
    );
    expect(taskIsolation(terminal, report({ rung: 'process', mechanisms }), false)).not.toContain('Missing');
  });

  it('is green where nothing is missing, and yellow where something is', () => {
    const paint = (colour: string, text: string): string => `<${colour}>${text}`;
    const painted = { ...terminal, paint } as typeof terminal;
    expect(taskIsolation(painted, report({}), false)).toContain('<green>sandbox');
    expect(taskIsolation(painted, report({ rung: 'process' }, { [linesOf.sandbox[0]!]: 'none' }), false)).toContain(
      '<yellow>process',
    );
  });
});
