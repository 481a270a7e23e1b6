/** Times, sizes and ids as people and scripts read them. */
import { shortId } from '../lib/ids.ts';

const zeroTime = '0001-01-01T00:00:00Z';

/** Unix nanoseconds, or RFC 3339 text → `2026-11-24T10:00:00Z` in local time; `N/A` for no time. */
export function formatTime(time: number | string | null | undefined): string {
  const date = dateOf(time);
  return date === undefined ? 'N/A' : formatDate(date);
}

/** To the second, with the local offset, as Go's RFC3339 layout. */
export function formatDate(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
  if (offset === 0) return `${local}Z`;
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
}

/** `2m30s ago`, `10mo12d ago`: the two coarsest units, to the nearest second. */
export function formatAgo(time: number | string | null | undefined, now: number = Date.now()): string {
  const date = dateOf(time);
  if (date === undefined) return '';
  const seconds = Math.round((now - date.getTime()) / 1000);
  return seconds < 0 ? `${coarse(-seconds)} from now` : `${coarse(seconds)} ago`;
}

const units: readonly (readonly [string, number])[] = [
  ['y', 365 * 86_400],
  ['mo', 30 * 86_400],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

function coarse(seconds: number): string {
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return '0s';
  let rest = seconds;
  let text = '';
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${name}`;
  }
  return text;
}

function dateOf(time: number | string | null | undefined): Date | undefined {
  if (time === null || time === undefined || time === 0 || time === '' || time === zeroTime) return undefined;
  return typeof time === 'number' ? new Date(time / 1_000_000) : new Date(time);
}

/** 1536 → `1.5 KiB`: three significant digits at the most. */
export function formatBytes(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  if (bytes < 10) return `${bytes} B`;
  const power = Math.min(names.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = Math.floor((bytes / 1024 ** power) * 10 + 0.5) / 10;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${names[power]}`;
}

/** Whole, or its first eight characters. */
export function formatId(id: string, verbose: boolean): string {
  return verbose ? id : shortId(id);
}
