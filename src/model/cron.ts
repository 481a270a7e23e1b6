/** Cron lines of five to seven fields, or a macro: the syntax alone. Source: Nomad's documentation of `periodic` (cronexpr). */

export interface CronField {
  readonly name: 'second' | 'minute' | 'hour' | 'day-of-month' | 'month' | 'day-of-week' | 'year';
  readonly minimum: number;
  readonly maximum: number;
  readonly names?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const second: CronField = { name: 'second', minimum: 0, maximum: 59 };
const minute: CronField = { name: 'minute', minimum: 0, maximum: 59 };
const hour: CronField = { name: 'hour', minimum: 0, maximum: 23 };
const dayOfMonth: CronField = { name: 'day-of-month', minimum: 1, maximum: 31 };
const month: CronField = { name: 'month', minimum: 1, maximum: 12, names: months };
const dayOfWeek: CronField = { name: 'day-of-week', minimum: 0, maximum: 7, names: days };
const year: CronField = { name: 'year', minimum: 1970, maximum: 2099 };

const five = [minute, hour, dayOfMonth, month, dayOfWeek];
const macros: { readonly [macro: string]: string } = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** `@daily` → `0 0 * * *`; anything else as it is. */
export function expandMacro(line: string): string {
  const macro = line.toLowerCase();
  return Object.hasOwn(macros, macro) ? macros[macro]! : line;
}

/** The fields of a line of five to seven with what stands there; undefined where it is no valid line. */
export function cronFields(line: string): readonly (readonly [CronField, string])[] | undefined {
  if (cronProblem(line) !== undefined) return undefined;
  const parts = line.split(/\s+/);
  return fieldsFor(parts.length).map((field, at) => [field, parts[at]!]);
}

const fieldsFor = (count: number): readonly CronField[] =>
  count === 5 ? five : count === 6 ? [...five, year] : [second, ...five, year];

/** What is wrong with a cron line; undefined: nothing. */
export function cronProblem(line: string): string | undefined {
  const text = line.trim();
  if (text.startsWith('@')) return Object.hasOwn(macros, text.toLowerCase()) ? undefined : `unknown macro '${text}'`;
  const parts = text.split(/\s+/);
  if (text === '' || parts.length < 5) return 'missing field(s)';
  if (parts.length > 7) return 'too many fields';
  for (const [index, field] of fieldsFor(parts.length).entries()) {
    const bad = parts[index]!.split(',').find((entry) => !entryFits(field, entry));
    if (bad !== undefined) return `syntax error in ${field.name} field: '${bad}'`;
  }
  return undefined;
}

/** One entry between commas: `*`, `5`, `MON-FRI`, `1-10/2`, and for days also `L`, `15W`, `5L`, `1#2`. */
function entryFits(field: CronField, entry: string): boolean {
  if (field === dayOfMonth && /^(L|LW|\d{1,2}W)$/i.test(entry)) return true;
  if (field === dayOfWeek && /^[0-7A-Z]{1,9}(L|#[1-5])$/i.test(entry)) return true;
  const [range, step, ...more] = entry.split('/');
  if (more.length > 0 || (step !== undefined && !/^[1-9]\d*$/.test(step))) return false;
  if (range === '*' || (range === '?' && (field === dayOfMonth || field === dayOfWeek))) return true;
  const ends = range!.split('-').map((end) => numberFor(field, end));
  if (ends.length > 2 || ends.some((end) => end === undefined)) return false;
  return ends.length === 1 || ends[0]! <= ends[1]!;
}

/** `5`, `MON`, `january` → the number; undefined where it does not fit. */
export function numberFor(field: CronField, text: string): number | undefined {
  const index = field.names?.indexOf(text.toLowerCase().slice(0, 3)) ?? -1;
  if (index >= 0 && /^[a-z]{3,9}$/i.test(text)) return index + field.minimum;
  if (!/^\d{1,4}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= field.minimum && value <= field.maximum ? value : undefined;
}
