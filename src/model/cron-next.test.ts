import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cronProblem } from './cron.ts';
import { earliestLaunch, nextLaunch } from './cron-next.ts';

const at = (text: string): number => Date.parse(text);
const next = (line: string, after: string, zone = 'UTC'): string | undefined => {
  const found = nextLaunch(line, at(after), zone);
  return found === undefined ? undefined : new Date(found).toISOString().replace('.000', '');
};

describe('a cron line is due next', () => {
  it.each([
    ['* * * * *', '2026-03-01T10:00:30Z', '2026-03-01T10:01:00Z'],
    ['* * * * *', '2026-03-01T10:01:00Z', '2026-03-01T10:02:00Z'],
    ['*/15 * * * *', '2026-03-01T10:50:00Z', '2026-03-01T11:00:00Z'],
    ['30 2 * * *', '2026-02-28T02:30:00Z', '2026-03-01T02:30:00Z'],
    ['0 0 29 2 *', '2026-03-01T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['0 0 1 1 *', '2026-03-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['0 12 * * MON-FRI', '2026-11-27T12:00:00Z', '2026-11-30T12:00:00Z'],
    // both kinds of days restricted: either one
    ['0 0 13 * FRI', '2026-11-29T00:00:00Z', '2026-12-04T00:00:00Z'],
    ['0 0 13 * FRI', '2026-12-11T00:00:00Z', '2026-12-13T00:00:00Z'],
    ['0 0 L * *', '2026-02-01T00:00:00Z', '2026-02-28T00:00:00Z'],
    ['0 0 15W * *', '2026-08-01T00:00:00Z', '2026-08-14T00:00:00Z'],
    ['0 0 1W * *', '2026-08-01T00:00:00Z', '2026-08-03T00:00:00Z'],
    ['0 0 LW * *', '2026-05-01T00:00:00Z', '2026-05-29T00:00:00Z'],
    ['0 0 * * 5L', '2026-11-01T00:00:00Z', '2026-11-27T00:00:00Z'],
    ['0 0 * * MON#2', '2026-11-01T00:00:00Z', '2026-11-09T00:00:00Z'],
    ['0 0 * * 7', '2026-11-27T00:00:00Z', '2026-11-29T00:00:00Z'],
    ['5/20 * * * *', '2026-03-01T10:00:00Z', '2026-03-01T10:05:00Z'],
    ['5/20 * * * *', '2026-03-01T10:45:00Z', '2026-03-01T11:05:00Z'],
    ['*/10 * * * * * *', '2026-03-01T10:00:00Z', '2026-03-01T10:00:10Z'],
    ['0 0 1 1 * 2030', '2026-03-01T10:00:00Z', '2030-01-01T00:00:00Z'],
    ['@daily', '2026-03-01T10:00:00Z', '2026-03-02T00:00:00Z'],
    ['@hourly', '2026-03-01T10:00:00Z', '2026-03-01T11:00:00Z'],
  ])('%s after %s: %s', (line, after, due) => {
    expect(next(line, after)).toBe(due);
  });

  it.each(['0 0 30 2 *', '0 0 1 1 * 2020'])('%s: never', (line) => {
    expect(next(line, '2026-03-01T10:00:00Z')).toBeUndefined();
  });

  it('by the clocks of its zone, whatever they are set to', () => {
    const berlin = 'Europe/Berlin';
    expect(next('0 9 * * *', '2026-01-10T00:00:00Z', berlin)).toBe('2026-01-10T08:00:00Z');
    expect(next('0 9 * * *', '2026-07-10T00:00:00Z', berlin)).toBe('2026-07-10T07:00:00Z');
    // set forward at 02:00 on 29 March: there is no 02:30
    expect(next('30 2 * * *', '2026-03-28T12:00:00Z', berlin)).toBe('2026-03-30T00:30:00Z');
    // set back at 03:00 on 25 October: 02:30 comes twice, a line for it runs once, one for every hour goes on
    expect(next('30 2 * * *', '2026-10-24T12:00:00Z', berlin)).toBe('2026-10-25T00:30:00Z');
    expect(next('30 2 * * *', '2026-10-25T00:30:00Z', berlin)).toBe('2026-10-26T01:30:00Z');
    expect(next('30 * * * *', '2026-10-25T00:30:00Z', berlin)).toBe('2026-10-25T01:30:00Z');
    expect(next('30 * * * *', '2026-10-25T01:30:00Z', berlin)).toBe('2026-10-25T02:30:00Z');
  });

  it('of several lines the earliest', () => {
    const lines = ['0 0 * * *', '0 18 * * *'];
    expect(earliestLaunch(lines, at('2026-03-01T10:00:00Z'), 'UTC')).toBe(at('2026-03-01T18:00:00Z'));
  });

  it('later than asked, and as a slow reading of the calendar finds it', () => {
    const field = (least: number, most: number) =>
      fc.oneof(fc.constant('*'), fc.integer({ min: least, max: most }).map(String), fc.constantFrom('*/7', '*/3'));
    const lines = fc
      .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
      .map((all) => all.join(' '));
    const start = at('2026-01-01T00:00:00Z');
    fc.assert(
      fc.property(lines, fc.integer({ min: 0, max: 400 * 1440 }), (line, minutes) => {
        const after = start + minutes * 60_000;
        expect(cronProblem(line)).toBeUndefined();
        const found = nextLaunch(line, after, 'UTC')!;
        expect(found).toBeGreaterThan(after);
        expect(matches(line, found)).toBe(true);
        const until = Math.min(found, after + 86_400_000);
        for (let each = after + 60_000; each < until; each += 60_000) expect(matches(line, each)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });
});

/** Minute by minute, the way a person checks a line. */
function matches(line: string, time: number): boolean {
  const date = new Date(time);
  const values = [
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth() + 1,
    date.getUTCDay(),
  ];
  const fits = line.split(' ').map((text, at) => {
    const value = values[at]!;
    if (text === '*') return true;
    return text.startsWith('*/')
      ? (value - (at === 2 || at === 3 ? 1 : 0)) % Number(text.slice(2)) === 0
      : value === Number(text);
  });
  const [, , ofMonth, , ofWeek] = line.split(' ');
  const day = ofMonth !== '*' && ofWeek !== '*' ? fits[2]! || fits[4]! : fits[2]! && fits[4]!;
  return fits[0]! && fits[1]! && fits[3]! && day;
}
