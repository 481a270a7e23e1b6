import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, hour, millisecond, minute, parseDuration, second } from './duration.ts';

describe('durations', () => {
  it('are read in Go notation', () => {
    expect(parseDuration('1h30m')).toBe(hour + 30 * minute);
    expect(parseDuration('1.5s')).toBe(1.5 * second);
    expect(parseDuration('-5ms')).toBe(-5 * millisecond);
    expect(parseDuration('0')).toBe(0);
    expect(parseDuration('.5m')).toBe(30 * second);
  });

  it('are refused when they have no unit, an unknown one, or do not fit 64 bits', () => {
    for (const text of ['', '5', '1x', 's', '1h 5m', '1e3s', '300000000h', '-', '+'])
      expect(parseDuration(text)).toBeUndefined();
  });

  it('are written as Go writes them', () => {
    expect(formatDuration(0)).toBe('0s');
    expect(formatDuration(hour + 500 * millisecond)).toBe('1h0m0.5s');
    expect(formatDuration(90 * second)).toBe('1m30s');
    expect(formatDuration(1500)).toBe('1.5µs');
    expect(formatDuration(181_049)).toBe('181.049µs');
    expect(formatDuration(-2 * second)).toBe('-2s');
  });

  it('read back as what was written', () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (ns) => parseDuration(formatDuration(ns)) === ns));
  });

  it('never throw on any text', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseDuration(text) !== 'string'));
  });
});
