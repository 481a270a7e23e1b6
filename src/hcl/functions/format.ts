import { convert } from '../convert.ts';
import { countGraphemes, splitGraphemes } from '../graphemes.ts';
import { LimitError, maxValueSize } from '../limits.ts';
import { type HclNumber, isInteger, truncate } from '../number.ts';
import { exponentText, fixedText, generalText } from '../number-text.ts';
import { jsonText } from '../to-json.ts';
import { boolType, isPrimitive, numberType, stringType, type Type } from '../type.ts';
import { asItems, asNumber, asString, isSequence, listValue, stringValue, type Value } from '../value.ts';
import { any, text, variadic } from './define.ts';
import { FunctionError, type HclFunction } from './function.ts';

/** One `%…` of a format: `%[flags][width][.precision][[argument]]verb`. */
interface Verb {
  readonly source: string;
  readonly flags: string;
  readonly width: number | undefined;
  readonly precision: number | undefined;
  readonly argument: number;
  readonly verb: string;
}

const pattern = /%([0# +-]*)(\d+)?(?:\.(\d*))?(?:\[(\d+)\])?([\s\S]?)/gu;
const maxWidth = 100_000;

/** The text with the verbs of a format replaced by arguments. */
function formatText(format: string, args: readonly Value[]): string {
  let next = 0;
  let highest = 0;
  let end = 0;
  const parts: string[] = [];
  for (const match of format.matchAll(pattern)) {
    parts.push(format.slice(end, match.index));
    end = match.index + match[0].length;
    const [source, flags = '', width, precision, position, letter = ''] = match;
    if (source === '%%') {
      parts.push('%');
      continue;
    }
    if (letter === '') throw new FunctionError(`the format ends inside of ${JSON.stringify(source)}`);
    const argument = position === undefined ? next : Number(position) - 1;
    next = argument + 1;
    highest = Math.max(highest, next);
    const value = args[argument];
    if (value === undefined)
      throw new FunctionError(`there is no argument ${argument + 1} for ${JSON.stringify(source)}`);
    const verb: Verb = {
      source,
      flags,
      width: width === undefined ? undefined : limited(Number(width)),
      precision: precision === undefined ? undefined : limited(Number(precision)),
      argument,
      verb: letter,
    };
    parts.push(formatVerb(verb, value));
  }
  if (highest < args.length) throw new FunctionError(`the format has no verb for this argument`, highest + 1);
  return parts.join('') + format.slice(end);
}

function limited(value: number): number {
  if (value > maxWidth) throw new LimitError(`a width of more than ${maxWidth} characters`);
  return value;
}

function formatVerb(verb: Verb, value: Value): string {
  switch (verb.verb) {
    case 'v':
      return formatAny(verb, value);
    case 't':
      return pad(verb, String(required(verb, value, boolType).data));
    case 'b':
    case 'd':
    case 'o':
    case 'x':
    case 'X':
      return formatInteger(verb, asNumber(required(verb, value, numberType)));
    case 'e':
    case 'E':
    case 'f':
    case 'g':
    case 'G': {
      const number = asNumber(required(verb, value, numberType));
      const shown = formatFloat(verb, number);
      return number.infinite ? pad(verb, shown) : padNumber(verb, shown);
    }
    case 's':
      return pad(verb, cut(verb, asString(required(verb, value, stringType))));
    case 'q':
      return pad(verb, quote(cut(verb, asString(required(verb, value, stringType)))));
    default:
      throw new FunctionError(`${JSON.stringify(verb.source)} is no verb of a format`);
  }
}

function required(verb: Verb, value: Value, type: Type): Value {
  const problem = `argument ${verb.argument + 1} is unsuitable for ${JSON.stringify(verb.source)}: `;
  if (value.state === 'null') throw new FunctionError(`${problem}it is null`);
  const result = convert(value, type);
  if (result.error !== undefined) throw new FunctionError(problem + result.error);
  return result.value;
}

function formatAny(verb: Verb, value: Value): string {
  if (!verb.flags.includes('#') && value.state === 'known' && isPrimitive(value.type)) {
    if (value.type.kind === 'number') return pad(verb, generalText(asNumber(value), undefined, 'e'));
    return pad(verb, String(value.data));
  }
  if (value.state === 'null' && !verb.flags.includes('#')) return pad(verb, 'null');
  const json = jsonText(value);
  if (json === undefined) throw new FunctionError(`there is no JSON of the value for ${JSON.stringify(verb.source)}`);
  return pad(verb, json);
}

function formatInteger(verb: Verb, number: HclNumber): string {
  const whole = isInteger(number) ? truncate(number) : undefined;
  if (whole === undefined)
    throw new FunctionError(
      `argument ${verb.argument + 1} is no whole number, as ${JSON.stringify(verb.source)} needs`,
    );
  const base = { b: 2, o: 8, x: 16, X: 16 }[verb.verb] ?? 10;
  let digits = (whole < 0n ? -whole : whole).toString(base);
  if (verb.verb === 'X') digits = digits.toUpperCase();
  if (verb.precision !== undefined) digits = digits.padStart(verb.precision, '0');
  const prefix = verb.flags.includes('#') ? ({ o: '0', x: '0x', X: '0X', b: '0b' }[verb.verb] ?? '') : '';
  return padNumber(verb, (whole < 0n ? '-' : '') + prefix + digits);
}

function formatFloat(verb: Verb, number: HclNumber): string {
  const { verb: letter, precision } = verb;
  if (letter === 'e' || letter === 'E') return exponentText(number, precision ?? 6, letter);
  if (letter === 'g' || letter === 'G') return generalText(number, precision, letter === 'g' ? 'e' : 'E');
  return fixedText(number, precision ?? 6);
}

const cut = (verb: Verb, value: string): string =>
  verb.precision === undefined ? value : splitGraphemes(value).slice(0, verb.precision).join('');

function pad(verb: Verb, value: string): string {
  const missing = (verb.width ?? 0) - countGraphemes(value);
  if (missing <= 0) return value;
  if (verb.flags.includes('-')) return value + ' '.repeat(missing);
  return (verb.flags.includes('0') ? '0' : ' ').repeat(missing) + value;
}

/** With its sign in front of the zeros that fill it up. */
function padNumber(verb: Verb, value: string): string {
  const negative = value.startsWith('-');
  const sign = negative ? '-' : verb.flags.includes('+') ? '+' : verb.flags.includes(' ') ? ' ' : '';
  const digits = negative || value.startsWith('+') ? value.slice(1) : value;
  const missing = (verb.width ?? 0) - sign.length - digits.length;
  if (missing > 0 && verb.flags.includes('0') && !verb.flags.includes('-')) return sign + '0'.repeat(missing) + digits;
  return pad({ ...verb, flags: verb.flags.replaceAll('0', '') }, sign + digits);
}

const named: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** A quoted text as Go writes it. */
function quote(value: string): string {
  const escaped = [...value].map((char) => {
    const known = named[char];
    if (known !== undefined) return known;
    if (char === ' ' || !/[\p{C}\p{Z}]/u.test(char)) return char;
    const code = char.codePointAt(0)!;
    if (code < 128) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped.join('')}"`;
}

function formatList(format: string, args: readonly Value[]): Value {
  const counts = args.map((arg) => (arg.state === 'known' && isSequence(arg.type) ? asItems(arg).length : undefined));
  const first = counts.find((count) => count !== undefined);
  for (const [i, count] of counts.entries()) {
    if (count === undefined || count === first) continue;
    throw new FunctionError(`this list has ${count} elements, and one before has ${first}`, i + 1);
  }
  if (first !== undefined && first * format.length > maxValueSize * 16)
    throw new LimitError(`${first} texts of that length`);
  const texts: Value[] = [];
  for (let i = 0; i < (first ?? 1); i++) {
    const row = args.map((arg, k) => (counts[k] === undefined ? arg : asItems(arg)[i]!));
    texts.push(stringValue(formatRow(format, row)));
  }
  return listValue(texts, stringType);
}

/** In a list the argument at fault is the row's, so the problem is that of the call. */
function formatRow(format: string, row: readonly Value[]): string {
  try {
    return formatText(format, row);
  } catch (error) {
    if (error instanceof FunctionError) throw new FunctionError(error.message);
    throw error;
  }
}

const rest = { ...any('args'), allowNull: true };

export const formatFunctions: Readonly<Record<string, HclFunction>> = {
  format: variadic('A text with arguments put in where a % stands.', [text('format')], rest, ([format, ...args]) =>
    stringValue(formatText(asString(format!), args)),
  ),
  formatlist: variadic(
    'The texts that a format gives for each element of lists.',
    [text('format')],
    rest,
    ([format, ...args]) => formatList(asString(format!), args),
  ),
};
