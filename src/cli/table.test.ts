import { describe, expect, it } from 'vitest';
import { formatPairs, formatTable } from './table.ts';

describe('tables', () => {
  it('line up, two blanks apart, with nothing behind the last column', () => {
    expect(
      formatTable([
        ['ID', 'Name', 'Status'],
        ['a', 'longer name', 'ok'],
        ['bcd', '', 'failed'],
      ]),
    ).toBe(['ID   Name         Status', 'a    longer name  ok', 'bcd  <none>       failed'].join('\n'));
  });

  it('count wide characters as two columns and colours as none', () => {
    expect(
      formatTable([
        ['日本', 'x'],
        ['\u001b[31mab\u001b[0m', 'y'],
      ]).split('\n'),
    ).toEqual(['日本  x', '\u001b[31mab\u001b[0m    y']);
  });

  it('pairs line up at their equals signs', () => {
    expect(
      formatPairs([
        ['ID', 'x'],
        ['Longer', ''],
        ['N', 0],
      ]),
    ).toBe('ID     = x\nLonger = <none>\nN      = 0');
  });
});
