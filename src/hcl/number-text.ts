import { LimitError } from './limits.ts';
import { bitLength, type HclNumber, isInteger, truncate } from './number.ts';

/** Most digits that a number may have when it is written out. */
const maxNumberDigits = 50_000;

/** A decimal fraction `0.d1d2d3… * 10^point`, without zeros at its end. */
interface Decimal {
  digits: string;
  point: number;
}

function exactDecimal(mantissa: bigint, exponent: number): Decimal {
  let digits: string;
  let point: number;
  if (exponent >= 0) {
    digits = (mantissa << BigInt(exponent)).toString();
    point = digits.length;
  } else {
    digits = (mantissa * 5n ** BigInt(-exponent)).toString();
    point = digits.length + exponent;
  }
  return { digits: digits.replace(/0+$/, ''), point };
}

const digitAt = (decimal: Decimal, i: number): number =>
  i < decimal.digits.length ? decimal.digits.charCodeAt(i) - 48 : 0;

/** Rounds up at digit `n`. */
function roundUp(decimal: Decimal, n: number): Decimal {
  let kept = n;
  while (kept > 0 && digitAt(decimal, kept - 1) === 9) kept--;
  if (kept === 0) return { digits: '1', point: decimal.point + 1 };
  return { digits: decimal.digits.slice(0, kept - 1) + String(digitAt(decimal, kept - 1) + 1), point: decimal.point };
}

const roundDown = (decimal: Decimal, n: number): Decimal => ({
  digits: decimal.digits.slice(0, n).replace(/0+$/, ''),
  point: decimal.point,
});

function roundNearest(decimal: Decimal, n: number): Decimal {
  const next = digitAt(decimal, n);
  const exactlyHalf = next === 5 && n + 1 === decimal.digits.length;
  const up = exactlyHalf ? n > 0 && digitAt(decimal, n - 1) % 2 === 1 : next >= 5;
  return n >= decimal.digits.length ? decimal : up ? roundUp(decimal, n) : roundDown(decimal, n);
}

/** The shortest decimal that reads back as the same number at its precision. */
function shortest(number: HclNumber): Decimal {
  const exact = exactDecimal(number.mantissa, number.exponent);
  // Half a unit of the last bit on either side still rounds to this number.
  const shift = number.precision + 1 - bitLength(number.mantissa);
  const mantissa = shift >= 0 ? number.mantissa << BigInt(shift) : number.mantissa >> BigInt(-shift);
  const exponent = number.exponent - shift;
  const lower = exactDecimal(mantissa - 1n, exponent);
  const upper = exactDecimal(mantissa + 1n, exponent);
  const inclusive = (mantissa & 2n) === 0n;
  for (let i = 0; i < exact.digits.length; i++) {
    const m = digitAt(exact, i);
    const u = digitAt(upper, i);
    const down = digitAt(lower, i) !== m || (inclusive && i + 1 === lower.digits.length);
    const up = m !== u && (inclusive || m + 1 < u || i + 1 < upper.digits.length);
    if (down && up) return roundNearest(exact, i + 1);
    if (down) return roundDown(exact, i + 1);
    if (up) return roundUp(exact, i + 1);
  }
  return exact;
}

/** Throws when the digits would fill the memory. */
function checkSize(number: HclNumber): void {
  const size = Math.max(bitLength(number.mantissa) + number.exponent, -number.exponent);
  if (size > maxNumberDigits * 3) throw new LimitError(`a number with more than ${maxNumberDigits} digits`);
}

/** The number in full, without exponent: `0.1`, `1000000`, `-0`. Throws `LimitError` above `maxNumberDigits`. */
export function numberText(number: HclNumber): string {
  const sign = number.negative ? '-' : '';
  if (number.infinite) return `${number.negative ? '-' : '+'}Inf`;
  if (number.mantissa === 0n) return `${sign}0`;
  checkSize(number);
  if (isInteger(number) && bitLength(number.mantissa) + number.exponent <= number.precision) {
    const whole = truncate(number)!;
    return whole.toString();
  }
  return sign + plain(shortest(number));
}

function plain({ digits, point }: Decimal): string {
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  if (digits.length <= point) return digits + '0'.repeat(point - digits.length);
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** With exactly `places` digits after the point (`%f`). */
export function fixedText(number: HclNumber, places: number): string {
  const sign = number.negative ? '-' : '';
  if (number.infinite) return `${number.negative ? '-' : '+'}Inf`;
  if (number.mantissa === 0n) return sign + (places > 0 ? `0.${'0'.repeat(places)}` : '0');
  checkSize(number);
  const exact = exactDecimal(number.mantissa, number.exponent);
  const at = exact.point + places;
  const decimal = at < 0 ? { digits: '', point: 0 } : roundNearest(exact, at);
  const whole = decimal.point > 0 ? decimal.digits.slice(0, decimal.point).padEnd(decimal.point, '0') : '0';
  const start = Math.max(decimal.point, 0);
  const zeros = decimal.digits === '' ? '' : '0'.repeat(Math.max(0, -decimal.point));
  const rest = (zeros + decimal.digits.slice(start)).slice(0, places).padEnd(places, '0');
  return sign + whole + (places > 0 ? `.${rest}` : '');
}

/** Mantissa and decimal exponent; `places` digits after the point, or the shortest (`%e`). */
export function exponentText(number: HclNumber, places: number | undefined, letter: string): string {
  const sign = number.negative ? '-' : '';
  if (number.infinite) return `${number.negative ? '-' : '+'}Inf`;
  let decimal: Decimal = { digits: '', point: 1 };
  if (number.mantissa !== 0n) {
    checkSize(number);
    decimal =
      places === undefined
        ? shortest(number)
        : roundNearest(exactDecimal(number.mantissa, number.exponent), places + 1);
  }
  const first = decimal.digits[0] ?? '0';
  const rest = decimal.digits.slice(1).padEnd(places ?? 0, '0');
  const exponent = decimal.digits === '' ? 0 : decimal.point - 1;
  const shown = Math.abs(exponent).toString().padStart(2, '0');
  return `${sign}${first}${rest === '' ? '' : `.${rest}`}${letter}${exponent < 0 ? '-' : '+'}${shown}`;
}

/** `%g`: the shorter of the plain and the exponent form; `digits` significant ones, or the shortest. */
export function generalText(number: HclNumber, digits: number | undefined, letter: string): string {
  const sign = number.negative ? '-' : '';
  if (number.infinite) return `${number.negative ? '-' : '+'}Inf`;
  if (number.mantissa === 0n) return `${sign}0`;
  checkSize(number);
  const wanted = digits === 0 ? 1 : digits;
  const decimal =
    wanted === undefined ? shortest(number) : roundNearest(exactDecimal(number.mantissa, number.exponent), wanted);
  let threshold = wanted ?? 6;
  if (wanted !== undefined && threshold > decimal.digits.length && decimal.digits.length >= decimal.point) {
    threshold = decimal.digits.length;
  }
  const exponent = decimal.point - 1;
  if (exponent < -4 || exponent >= threshold) {
    const places = Math.max(decimal.digits.length - 1, 0);
    return exponentText(number, wanted === undefined ? undefined : places, letter);
  }
  return sign + plain(decimal);
}
