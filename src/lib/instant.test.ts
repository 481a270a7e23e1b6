import { describe, expect, it } from 'vitest';
import { formatInstant, parseInstant, zeroInstant } from './instant.ts';

describe('an instant', () => {
  it('is written with as much of a fraction as it has', () => {
    expect(formatInstant(1_700_000_000_000_000_000)).toBe('2023-11-14T22:13:20Z');
    expect(formatInstant(1_700_000_000_500_000_000)).toBe('2023-11-14T22:13:20.5Z');
  });
  it('is read back to what was written', () => {
    for (const ns of [1.7e18 + 123_456_768, 1_795_480_000_000_000_000])
      expect(parseInstant(formatInstant(ns))).toBe(ns);
    expect(parseInstant('2023-11-14T23:13:20+01:00')).toBe(1_700_000_000_000_000_000);
  });
  it('is 0 where it is the zero time or no time', () => {
    for (const text of [zeroInstant, '', null, 'yesterday']) expect(parseInstant(text)).toBe(0);
  });
});
