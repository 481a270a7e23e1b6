/** Instants: Unix nanoseconds as a number (exact to 256 ns in this century) or RFC 3339 text, as Nomad's JSON has them. */

/** Go's zero time: "never". */
export const zeroInstant = '0001-01-01T00:00:00Z';

const year1 = -62_135_596_800_000_000_000;

/** 1700000000123456768 → `"2023-11-14T22:13:20.123456768Z"`; trailing zeros of the fraction are left out. */
export function formatInstant(ns: number): string {
  const whole = Math.floor(ns / 1e9);
  const date = new Date(whole * 1000).toISOString().slice(0, 19);
  const fraction = Number(BigInt(Math.floor(ns)) - BigInt(whole) * 1_000_000_000n);
  return fraction === 0 ? `${date}Z` : `${date}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** RFC 3339 → Unix nanoseconds; the zero time and what is no instant: 0. */
export function parseInstant(text: string | null): number {
  if (text === null || text === '' || text === zeroInstant) return 0;
  const match = /^(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const ms = match === null ? Number.NaN : Date.parse(match[1]! + match[3]!);
  if (Number.isNaN(ms)) return 0;
  const ns = ms * 1e6 + Number((match![2] ?? '.0').slice(1, 10).padEnd(9, '0'));
  return ns <= year1 ? 0 : ns;
}
