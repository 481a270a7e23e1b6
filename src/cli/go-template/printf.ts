/** Go's `fmt.Sprintf`, `Sprint` and `Sprintln` for JSON values. */
import { quote } from './literals.ts';
import { format, typeName, type Value } from './values.ts';

const verb = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([\s\S])?/gu;

/** Wider fields are nobody's, and would only take memory. */
const maximumWidth = 10_000;

export function sprintf(layout: string, values: readonly Value[]): string {
  let next = 0;
  const text = layout.replace(verb, (whole, flags: string, width?: string, precision?: string, name?: string) => {
    if (name === undefined) return '%!(NOVERB)';
    if (name === '%') return '%';
    const size = (given: string | undefined): number | undefined => {
      if (given === undefined) return undefined;
      return Math.min(maximumWidth, given === '*' ? Number(values[next++]) || 0 : Number(given));
    };
    const columns = size(width);
    const digits = size(precision) ?? (/\./.test(whole.slice(0, -name.length)) ? 0 : undefined);
    if (next >= values.length) return `%!${name}(MISSING)`;
    return pad(one(name, values[next++], flags, digits), flags, columns, name);
  });
  const rest = values.slice(next);
  return rest.length === 0
    ? text
    : `${text}%!(EXTRA ${rest.map((value) => (value == null ? '<nil>' : `${typeName(value)}=${format(value)}`)).join(', ')})`;
}

function one(name: string, value: Value, flags: string, precision: number | undefined): string {
  const integer = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
  const sign = flags.includes('+') && (typeof value === 'bigint' || typeof value === 'number') && value >= 0 ? '+' : '';
  switch (name) {
    case 'v':
      return value == null ? '<nil>' : sign + format(value);
    case 'T':
      return typeName(value);
    case 's':
      if (typeof value !== 'string') break;
      return precision === undefined ? value : [...value].slice(0, precision).join('');
    case 'q':
      if (typeof value === 'string') return quote(value);
      if (integer) return `'${String.fromCodePoint(Math.min(0x10ffff, Math.max(0, Number(value))))}'`;
      break;
    case 't':
      if (typeof value === 'boolean') return String(value);
      break;
    case 'd':
      if (integer) return sign + format(value);
      break;
    case 'x':
    case 'X': {
      const text = typeof value === 'string' ? hex(value) : integer ? BigInt(value).toString(16) : undefined;
      if (text !== undefined) return name === 'x' ? text : text.toUpperCase();
      break;
    }
    case 'b':
    case 'o':
      if (integer) return BigInt(value).toString(name === 'b' ? 2 : 8);
      break;
    case 'c':
      if (integer) return String.fromCodePoint(Math.min(0x10ffff, Math.max(0, Number(value))));
      break;
    case 'f':
    case 'F':
      if (typeof value === 'number') return sign + value.toFixed(Math.min(precision ?? 6, 100));
      break;
    case 'e':
      if (typeof value === 'number')
        return sign + value.toExponential(Math.min(precision ?? 6, 100)).replace(/e([+-])(\d)$/, 'e$10$2');
      break;
    case 'g':
      if (typeof value === 'number') return sign + format(value);
      break;
  }
  if (Array.isArray(value) && name === 's')
    return `[${value.map((item) => one(name, item, flags, precision)).join(' ')}]`;
  return value == null ? `%!${name}(<nil>)` : `%!${name}(${typeName(value)}=${format(value)})`;
}

function pad(text: string, flags: string, width: number | undefined, name: string): string {
  const length = [...text].length;
  if (width === undefined || length >= Math.abs(width)) return text;
  const fill = Math.abs(width) - length;
  if (flags.includes('-') || width < 0) return text + ' '.repeat(fill);
  if (!flags.includes('0') || !'dfFegxXbo'.includes(name)) return ' '.repeat(fill) + text;
  const sign = /^[+-]/.test(text) ? text[0]! : '';
  return sign + '0'.repeat(fill) + text.slice(sign.length);
}

function hex(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A blank between two values of which neither is text. */
export function sprint(values: readonly Value[]): string {
  return values
    .map((value, at) => {
      const gap = at > 0 && typeof value !== 'string' && typeof values[at - 1] !== 'string' ? ' ' : '';
      return gap + plain(value);
    })
    .join('');
}

export const sprintln = (values: readonly Value[]): string => `${values.map(plain).join(' ')}\n`;

const plain = (value: Value): string => (value == null ? '<nil>' : format(value));
