import { expect, it } from 'vitest';
import { rowPattern } from './row-pattern.ts';

it.each([
  ['^w.b$', 'web', true],
  ['(?i)WEB', 'web', true],
  ['^(a|b)+[0-9]*$', 'abab12', true],
  ['^(a|b)+[0-9]*$', 'abc', false],
])('%s over %s is %s', (pattern, text, expected) => {
  expect(rowPattern(pattern)(text)).toBe(expected);
});

it('a pattern made to explode takes no time', () => {
  const before = performance.now();
  expect(rowPattern('^(a+)+$')(`${'a'.repeat(200)}!`)).toBe(false);
  expect(rowPattern('^(\\w*\\s*)*x$')('word '.repeat(40))).toBe(false);
  expect(performance.now() - before).toBeLessThan(1000);
});

it('a broken pattern is the caller’s fault', () => {
  expect(() => rowPattern('(')).toThrow('error parsing regexp');
  expect(() => rowPattern('(a*)*(')).toThrow('error parsing regexp');
});
