/**
 * When a cron line is due next, in a time zone. Source: the documentation of `periodic` and crontab(5): where both kinds of days are
 * restricted, either one suffices.
 *
 * Clocks that are set forward: what falls into the hour that is left out does not run. Set back: a line for certain hours runs once, the first
 * time; one for every hour goes on through both.
 */
import { type CronField, cronFields, expandMacro, numberFor } from './cron.ts';

interface Times {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly everyHour: boolean;
  readonly months: ReadonlySet<number>;
  readonly years: ReadonlySet<number> | null;
  readonly isDay: (year: number, month: number, day: number) => boolean;
}

const dayMs = 86_400_000;
/** Beyond that a line such as `0 0 30 2 *` is taken for one that is never due. */
const farthestDays = 366 * 30;

/** Unix milliseconds, later than `after`; undefined: never, or no valid line or zone. */
export function nextLaunch(line: string, after: number, timeZone: string): number | undefined {
  const times = timesOf(line);
  const offset = offsetIn(timeZone);
  if (times === undefined || offset === undefined) return undefined;
  const start = new Date(after + offset(after));
  const first = Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate());
  for (let days = 0; days < farthestDays; days++) {
    const date = new Date(first + days * dayMs);
    const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
    if (times.years !== null && year > Math.max(...times.years)) return undefined;
    if (times.years?.has(year) === false || !times.months.has(month) || !times.isDay(year, month, day)) continue;
    const found = firstOfDay(times, date.getTime(), after, offset);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The earliest of several lines. */
export function earliestLaunch(lines: readonly string[], after: number, timeZone: string): number | undefined {
  const due = lines.flatMap((line) => nextLaunch(line, after, timeZone) ?? []);
  return due.length === 0 ? undefined : Math.min(...due);
}

function firstOfDay(times: Times, midnight: number, after: number, offset: (at: number) => number): number | undefined {
  // on all but two days of the year the two are the same
  const offsets = [...new Set([offset(midnight - dayMs), offset(midnight + 2 * dayMs)])];
  let found: number | undefined;
  for (const hour of times.hours) {
    for (const minute of times.minutes) {
      for (const second of times.seconds) {
        const local = midnight + ((hour * 60 + minute) * 60 + second) * 1000;
        const instants = offsets.map((each) => local - each).filter((at) => at + offset(at) === local);
        const wanted = times.everyHour ? instants : instants.sort((a, b) => a - b).slice(0, 1);
        for (const at of wanted) if (at > after && (found === undefined || at < found)) found = at;
        if (found !== undefined && offsets.length === 1) return found;
      }
    }
  }
  return found;
}

function timesOf(line: string): Times | undefined {
  const parts = cronFields(expandMacro(line.trim()));
  if (parts === undefined) return undefined;
  const valuesOf = (name: CronField['name']): readonly number[] => {
    const [field, text] = parts.find(([each]) => each.name === name) ?? [undefined, ''];
    return field === undefined ? [0] : [...valuesIn(field, text)].sort((a, b) => a - b);
  };
  const text = (name: CronField['name']): string => parts.find(([field]) => field.name === name)?.[1] ?? '*';
  const years = text('year');
  return {
    seconds: valuesOf('second'),
    minutes: valuesOf('minute'),
    hours: valuesOf('hour'),
    everyHour: text('hour').startsWith('*'),
    months: new Set(valuesOf('month')),
    years: years === '*' ? null : new Set(valuesOf('year')),
    isDay: dayTest(text('day-of-month'), text('day-of-week'), valuesOf),
  };
}

function valuesIn(field: CronField, text: string): ReadonlySet<number> {
  const values = new Set<number>();
  for (const entry of text.split(',')) {
    if (/[LW#]/i.test(entry) && !/^[a-z]{3,9}(-[a-z]{3,9})?(\/\d+)?$/i.test(entry)) continue;
    const [range = '', step] = entry.split('/');
    const ends = range.split('-').map((end) => numberFor(field, end));
    const isAll = range === '*' || range === '?';
    const from = isAll ? field.minimum : ends[0]!;
    const to = isAll ? field.maximum : (ends[1] ?? (step === undefined ? from : field.maximum));
    for (let value = from; value <= to; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

const lastDay = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();
const weekday = (year: number, month: number, day: number): number =>
  new Date(Date.UTC(year, month - 1, day)).getUTCDay();

type DayTest = (year: number, month: number, day: number) => boolean;

function dayTest(ofMonth: string, ofWeek: string, valuesOf: (name: CronField['name']) => readonly number[]): DayTest {
  const isRestricted = (text: string): boolean => text !== '*' && text !== '?';
  const tests: DayTest[] = [];
  if (isRestricted(ofMonth)) {
    const days = new Set(valuesOf('day-of-month'));
    tests.push((_year, _month, day) => days.has(day), ...ofMonth.split(',').flatMap(specialDayOfMonth));
  }
  if (isRestricted(ofWeek)) {
    const days = new Set(valuesOf('day-of-week').map((day) => day % 7));
    tests.push((...date) => days.has(weekday(...date)), ...ofWeek.split(',').flatMap(specialDayOfWeek));
  }
  return tests.length === 0 ? () => true : (...date) => tests.some((test) => test(...date));
}

/** `L`: the last day; `15W`: the weekday nearest to it within the month; `LW`: the last weekday. */
function specialDayOfMonth(entry: string): readonly DayTest[] {
  const found = /^(?:(L)|(LW)|(\d{1,2})W)$/i.exec(entry);
  if (found === null) return [];
  if (found[1] !== undefined) return [(year, month, day) => day === lastDay(year, month)];
  return [(year, month, day) => day === nearestWeekday(year, month, Number(found[3] ?? lastDay(year, month)))];
}

function nearestWeekday(year: number, month: number, wanted: number): number {
  const last = lastDay(year, month);
  if (wanted > last) return 0;
  const on = weekday(year, month, wanted);
  if (on === 6) return wanted > 1 ? wanted - 1 : wanted + 2;
  if (on === 0) return wanted < last ? wanted + 1 : wanted - 2;
  return wanted;
}

/** `5L`: the last Friday of the month; `1#2`: the second Monday. */
function specialDayOfWeek(entry: string): readonly DayTest[] {
  const found = /^([0-7a-z]{1,9}?)(?:(L)|#([1-5]))$/i.exec(entry);
  const field: CronField = {
    name: 'day-of-week',
    minimum: 0,
    maximum: 7,
    names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
  };
  const on = found === null ? undefined : numberFor(field, found[1]!);
  if (found === null || on === undefined) return [];
  return [
    (year, month, day) =>
      weekday(year, month, day) === on % 7 &&
      (found[2] !== undefined ? day + 7 > lastDay(year, month) : Math.ceil(day / 7) === Number(found[3])),
  ];
}

/** From an instant to how far the zone's clocks are ahead then, in milliseconds; undefined: there is no such zone. */
function offsetIn(timeZone: string): ((at: number) => number) | undefined {
  if (timeZone === 'UTC') return () => 0;
  let format: Intl.DateTimeFormat;
  try {
    const numeric = {
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    } as const;
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timeZone === 'Local' ? undefined : timeZone,
      hourCycle: 'h23',
      ...numeric,
    });
  } catch {
    return undefined;
  }
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type)!;
    const local = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
    return local - Math.floor(at / 1000) * 1000;
  };
}
