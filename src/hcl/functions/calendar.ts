/** A moment with its offset from UTC, in whole seconds and a fraction that is kept as text. */
export interface Moment {
  /** Seconds since 1970 in UTC. */
  readonly seconds: number;
  readonly nanos: number;
  readonly offsetMinutes: number;
  /** True for `Z`: an offset of zero can also be written `+00:00`. */
  readonly utc: boolean;
}

/** Days since 1970 of a date of the Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

export interface DateParts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

/** Date and time of day of a moment, at its own offset. */
export function partsOf(moment: Moment): DateParts {
  const local = moment.seconds + moment.offsetMinutes * 60;
  const days = Math.floor(local / 86_400);
  const rest = local - days * 86_400;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9);
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}

const stamp = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** A moment written as in RFC 3339, `2024-01-02T03:04:05Z`; nothing for any other text. */
export function parseMoment(text: string): Moment | undefined {
  const match = stamp.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = (monthDays[month - 1] ?? 0) + (month === 2 && leap ? 1 : 0);
  if (day < 1 || day > last || hour > 23 || minute > 59 || second > 59) return undefined;
  const zone = match[8]!;
  const offset = zone === 'Z' ? 0 : Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4)));
  if (zone !== 'Z' && (Number(zone.slice(1, 3)) > 24 || Number(zone.slice(4)) > 60)) return undefined;
  const seconds = daysOf(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset * 60;
  const nanos = Number((match[7] ?? '').slice(0, 9).padEnd(9, '0'));
  return { seconds, nanos, offsetMinutes: offset, utc: zone === 'Z' };
}

export const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** `+02:00`, or without the colon. */
export function offsetText(moment: Moment, colon: string): string {
  const minutes = Math.abs(moment.offsetMinutes);
  const sign = moment.offsetMinutes < 0 ? '-' : '+';
  return `${sign}${twoDigits(Math.floor(minutes / 60))}${colon}${twoDigits(minutes % 60)}`;
}

/** As in RFC 3339, without the fraction of the second. */
export function momentText(moment: Moment): string {
  const at = partsOf(moment);
  const date = `${String(at.year).padStart(4, '0')}-${twoDigits(at.month)}-${twoDigits(at.day)}`;
  const zone = moment.offsetMinutes === 0 ? 'Z' : offsetText(moment, ':');
  return `${date}T${twoDigits(at.hour)}:${twoDigits(at.minute)}:${twoDigits(at.second)}${zone}`;
}
