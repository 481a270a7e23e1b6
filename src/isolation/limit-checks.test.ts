/** What counts as a limit of a task that no control group bounds. */
import { expect, it } from 'vitest';
import { coreDumpsLine, limitChecks } from './limit-checks.ts';

const mib = 1 << 20;
const line = (name: string, ok: boolean, evidence: string) => ({
  name,
  state: ok ? ('verified' as const) : ('unavailable' as const),
  evidence,
  checkedAt: '',
});
const text = (rows: Readonly<Record<string, string>>): string =>
  Object.entries({ 'Max cpu time': 'unlimited unlimited', ...rows })
    .map(([name, values]) => `${name.padEnd(26)}${values}  units`)
    .join('\n');
const limits = { memoryBytes: 128 * mib, memoryLowBytes: null, cpuShares: 100, pids: 256, cpusetCpus: '' };

it('are its rlimits where they are its own, not those that anybody has', () => {
  const states = (rows: Readonly<Record<string, string>>, asked: typeof limits | null = limits) =>
    limitChecks({ pid: 1, cgroup: null, limits: asked }, text(rows), line)
      .filter(({ name }) => name !== 'cgroup_limits')
      .map(({ state }) => state);
  const own = { 'Max processes': '256 256', 'Max data size': `${512 * mib} ${512 * mib}` };
  expect(states(own)).toEqual(['verified', 'verified']);
  expect(states({ ...own, 'Max processes': '100 256' })).toEqual(['verified', 'verified']);
  // as a host gives every process of a user
  expect(states({ ...own, 'Max processes': '95000 95000' })).toEqual(['unavailable', 'verified']);
  expect(states({ ...own, 'Max data size': `${2 ** 40} unlimited` })).toEqual(['verified', 'unavailable']);
  // which it may lift itself
  expect(states({ 'Max processes': '256 95000', 'Max data size': `${512 * mib} unlimited` })).toEqual([
    'unavailable',
    'unavailable',
  ]);
  expect(states(own, null)).toEqual(['unavailable', 'unavailable']);
});

it('on images of memory is 1, which its filter keeps', () => {
  const said = (values: string, kept: boolean) => {
    const { state, evidence } = coreDumpsLine(text({ 'Max core file size': values }), kept, line);
    return `${state}: ${evidence}`;
  };
  expect(said('1 1', true)).toBe('verified: limit 1, which it cannot change');
  expect(said('1 1', false)).toBe('unavailable: limit 1');
  expect(said('1 unlimited', true)).toBe('unavailable: limit 1');
  expect(said('0 unlimited', true)).toBe('unavailable: limit 0');
  expect(said('0 0', false)).toMatch(/^unavailable: limit 0, the agent's own: a program that core_pattern names/);
});
