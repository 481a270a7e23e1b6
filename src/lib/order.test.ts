import { describe, expect, it } from 'vitest';
import { compareText, sortedEntries } from './order.ts';

describe('texts', () => {
  it('are ordered by their units, as sort() does, on every machine', () => {
    const texts = ['b', 'a', 'B', 'ä', '', 'a1', 'a'];
    expect(texts.toSorted(compareText)).toEqual(texts.toSorted());
  });
});

describe('sortedEntries', () => {
  it('gives the entries by name, and none of what is not there', () => {
    expect(sortedEntries({ b: 1, a: 2 })).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(sortedEntries(null)).toEqual([]);
    expect(sortedEntries(undefined)).toEqual([]);
  });
});
