/**
 * Durations: a number of nanoseconds (exact up to 104 days, then to the nearest representable), written in Go's notation.
 * Source: the documented grammar of Go's time.ParseDuration.
 */
const nanosecond = 1;
const microsecond = 1_000;
export const millisecond = 1_000_000;
export const second = 1_000_000_000;
export const minute = 60 * second;
export const hour = 60 * minute;

const units: Readonly<Record<string, number>> = {
  ns: nanosecond,
  us: microsecond,
  µs: microsecond,
  μs: microsecond,
  ms: millisecond,
  s: second,
  m: minute,
  h: hour,
};

const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;

/** `"1h30m"` → 5400000000000; `undefined` where the text is no duration or does not fit 64 bits. */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0;
  if (body === '') return undefined;
  let total = 0;
  let position = 0;
  part.lastIndex = 0;
  while (position < body.length) {
    part.lastIndex = position;
    const match = part.exec(body);
    if (match === null) return undefined;
    total += Number(match[1]) * units[match[2]!]!;
    position = part.lastIndex;
  }
  if (total > 2 ** 63) return undefined;
  return sign * Math.round(total) + 0;
}

/** 5400000000000 → `"1h30m0s"`, as Go prints it. */
export function formatDuration(ns: number): string {
  if (ns === 0) return '0s';
  const sign = ns < 0 ? '-' : '';
  let rest = BigInt(Math.round(Math.abs(ns)));
  if (rest < BigInt(second)) return sign + subSecond(Number(rest));
  const hours = rest / BigInt(hour);
  rest %= BigInt(hour);
  const minutes = rest / BigInt(minute);
  rest %= BigInt(minute);
  const seconds = trimDecimal(Number(rest / BigInt(second)), Number(rest % BigInt(second)), 9);
  if (hours > 0n) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0n ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}

function subSecond(ns: number): string {
  if (ns < microsecond) return `${ns}ns`;
  if (ns < millisecond) return `${trimDecimal(Math.floor(ns / microsecond), ns % microsecond, 3)}µs`;
  return `${trimDecimal(Math.floor(ns / millisecond), ns % millisecond, 6)}ms`;
}

function trimDecimal(whole: number, fraction: number, digits: number): string {
  if (fraction === 0) return String(whole);
  return `${whole}.${String(fraction).padStart(digits, '0').replace(/0+$/, '')}`;
}
