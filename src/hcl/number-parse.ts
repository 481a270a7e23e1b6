import { divide, fromInteger, type HclNumber, infinite, literalPrecision, multiplyTo, rounded } from './number.ts';

/** Longest text that is read as a number. */
const maxDigits = 100_000;

const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d+)|[pP]([+-]?\d+))?$/;

/** The number a text stands for, with 512 bits: `12`, `-1.5e3`, `inf`. Nothing for any other text. */
export function parseNumber(text: string): HclNumber | undefined {
  if (text.length <= 15 && /^[0-9]+$/.test(text)) {
    return { negative: false, mantissa: BigInt(text), exponent: 0, precision: literalPrecision, infinite: false };
  }
  if (/^[+-]?[iI]nf$/.test(text)) return infinite(text.startsWith('-'));
  if (text.length > maxDigits) return undefined;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', , decimal = '0', binary = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  const negative = sign === '-';
  const digits = BigInt(whole + fraction || '0');
  const tens = Number(decimal) - fraction.length;
  const top = tens + Number(binary) + digits.toString(2).length;
  if (digits !== 0n && Math.abs(top) > 2 ** 31 - 1) return undefined;
  const exponent = tens + Number(binary);
  if (digits === 0n || tens === 0) return rounded(negative, digits, exponent, literalPrecision);
  // All digits count until the power of ten is applied: rounding twice would lose the last one.
  const exact = { negative, mantissa: digits, exponent, precision: literalPrecision, infinite: false };
  return timesPowerOfFive(exact, tens);
}

/** `10^n` is `2^n * 5^n`; the twos are in the exponent already. */
function timesPowerOfFive(start: HclNumber, power: number): HclNumber {
  const five = powerOfFive(Math.abs(power));
  const result = power < 0 ? divide(start, five, literalPrecision) : multiplyTo(start, five, literalPrecision);
  return result ?? start;
}

/** The reference's own steps, so that the last bit is the same: the power with 64 bits to spare, the squares with 128. */
function powerOfFive(power: number): HclNumber {
  const small = Math.min(power, 27);
  let result = fromInteger(5n ** BigInt(small));
  let square: HclNumber = fromInteger(5);
  for (let left = power - small; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = multiplyTo(result, square, literalPrecision + 64);
    if (left > 1) square = multiplyTo(square, square, literalPrecision + 128);
  }
  return result;
}
