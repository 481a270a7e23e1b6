import { describe, expect, it } from 'vitest';
import { formatAgo, formatBytes, formatTime } from './formats.ts';

describe('formats', () => {
  it('say how long ago in the two coarsest units', () => {
    const now = Date.UTC(2026, 5, 1);
    const ago = (seconds: number) => formatAgo((now - seconds * 1000) * 1_000_000, now);
    expect(ago(0)).toBe('0s ago');
    expect(ago(150)).toBe('2m30s ago');
    expect(ago(3600)).toBe('1h ago');
    expect(ago(86_400 + 7_200 + 5)).toBe('1d2h ago');
    expect(ago(-90)).toBe('1m30s from now');
  });

  it('have a word for no time', () => {
    for (const none of [0, '', null, undefined, '0001-01-01T00:00:00Z']) expect(formatTime(none)).toBe('N/A');
  });

  it('write sizes with three significant digits at the most', () => {
    expect(formatBytes(0)).toBe('0 B');
    expect(formatBytes(279)).toBe('279 B');
    expect(formatBytes(4096)).toBe('4.0 KiB');
    expect(formatBytes(300 * 1024 * 1024)).toBe('300 MiB');
  });
});
