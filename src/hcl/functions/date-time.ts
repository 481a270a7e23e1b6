import { parseDuration } from '../../lib/duration.ts';
import { asString, stringValue } from '../value.ts';
import { type DateParts, type Moment, momentText, offsetText, parseMoment, partsOf, twoDigits } from './calendar.ts';
import { define, text } from './define.ts';
import { FunctionError, type HclFunction } from './function.ts';

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

type Field = (at: DateParts, moment: Moment) => string;
const hour12 = (at: DateParts): number => (at.hour % 12 === 0 ? 12 : at.hour % 12);
const half = (at: DateParts): string => (at.hour < 12 ? 'AM' : 'PM');

const fields: Readonly<Record<string, Field>> = {
  YYYY: (at) => String(at.year).padStart(4, '0'),
  YY: (at) => twoDigits(at.year % 100),
  MMMM: (at) => months[at.month - 1]!,
  MMM: (at) => months[at.month - 1]!.slice(0, 3),
  MM: (at) => twoDigits(at.month),
  M: (at) => String(at.month),
  DD: (at) => twoDigits(at.day),
  D: (at) => String(at.day),
  EEEE: (at) => weekdays[at.weekday]!,
  EEE: (at) => weekdays[at.weekday]!.slice(0, 3),
  hh: (at) => twoDigits(at.hour),
  h: (at) => String(at.hour),
  HH: (at) => twoDigits(hour12(at)),
  H: (at) => String(hour12(at)),
  AA: half,
  aa: (at) => half(at).toLowerCase(),
  mm: (at) => twoDigits(at.minute),
  m: (at) => String(at.minute),
  ss: (at) => twoDigits(at.second),
  s: (at) => String(at.second),
  Z: (_, moment) => (moment.offsetMinutes === 0 ? 'Z' : offsetText(moment, ':')),
  ZZZ: (_, moment) => (moment.offsetMinutes === 0 ? 'UTC' : offsetText(moment, '')),
  ZZZZ: (_, moment) => offsetText(moment, ''),
  ZZZZZ: (_, moment) => offsetText(moment, ':'),
};

/** A quoted text, one letter repeated, or text that stands for itself. */
const piece = /'((?:[^']|'')*)('?)|([A-Za-z])\3*|[^A-Za-z']+/g;

function formatDate(format: string, moment: Moment): string {
  const at = partsOf(moment);
  let result = '';
  for (const match of format.matchAll(piece)) {
    const [whole, quoted, close] = match;
    if (quoted !== undefined) {
      if (close === '') throw new FunctionError("a quote (') is not closed", 0);
      result += quoted === '' ? "'" : quoted.replaceAll("''", "'");
    } else if (/[A-Za-z]/.test(whole)) {
      const field = fields[whole];
      if (field === undefined) {
        throw new FunctionError(`${JSON.stringify(whole)} is no part of a date; put text into single quotes`, 0);
      }
      result += field(at, moment);
    } else result += whole;
  }
  return result;
}

function momentOf(value: string, argument?: number): Moment {
  const moment = parseMoment(value);
  if (moment !== undefined) return moment;
  throw new FunctionError(`${JSON.stringify(value)} is no time like 2024-01-02T03:04:05Z`, argument);
}

function addTime(at: string, duration: string): string {
  const moment = momentOf(at);
  const nanoseconds = parseDuration(duration);
  if (nanoseconds === undefined) throw new FunctionError(`${JSON.stringify(duration)} is no duration like 1h30m`);
  const nanos = moment.nanos + (nanoseconds % 1e9);
  const carry = Math.floor(nanos / 1e9);
  return momentText({
    ...moment,
    seconds: moment.seconds + Math.trunc(nanoseconds / 1e9) + carry,
    nanos: nanos - carry * 1e9,
  });
}

export const dateTimeFunctions: Readonly<Record<string, HclFunction>> = {
  formatdate: define('A time in another form, like YYYY-MM-DD.', [text('format'), text('time')], ([format, time]) =>
    stringValue(formatDate(asString(format!), momentOf(asString(time!), 1))),
  ),
  timeadd: define('A time and a duration later.', [text('timestamp'), text('duration')], ([at, duration]) =>
    stringValue(addTime(asString(at!), asString(duration!))),
  ),
};
