// Binary floats of arbitrary precision, rounded to even, like the reference implementation's 512-bit numbers.

/**
 * `mantissa * 2^exponent`, negative when `negative`. `precision` is the number of mantissa bits that results keep; a
 * zero has mantissa 0 and may be negative. `infinite` numbers come from division by zero.
 */
export interface HclNumber {
  readonly negative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly precision: number;
  readonly infinite: boolean;
}

/** Precision of numbers that are written in a file. */
export const literalPrecision = 512;

const maxExponent = 2 ** 31 - 1;

export function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  if (value < 0x20000000000000n) {
    const small = Number(value);
    return small < 0x80000000 ? 32 - Math.clz32(small) : 64 - Math.clz32(Math.floor(small / 0x100000000)) - 32 + 32;
  }
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28;
}

/** A number of `precision` bits; a `sticky` rest below the last bit only decides ties. */
export function rounded(
  negative: boolean,
  mantissa: bigint,
  exponent: number,
  precision: number,
  sticky = false,
): HclNumber {
  let m = mantissa;
  let e = exponent;
  const length = bitLength(m);
  if (length > precision) {
    const shift = BigInt(length - precision);
    const rest = m & ((1n << shift) - 1n);
    const half = 1n << (shift - 1n);
    m >>= shift;
    e += length - precision;
    if (rest > half || (rest === half && (sticky || (m & 1n) === 1n))) m += 1n;
  }
  if (m === 0n) return { negative, mantissa: 0n, exponent: 0, precision, infinite: false };
  const top = e + Math.max(length, bitLength(m));
  if (top > maxExponent) return infinity(negative, precision);
  if (top < -maxExponent) return { negative, mantissa: 0n, exponent: 0, precision, infinite: false };
  return { negative, mantissa: m, exponent: e, precision, infinite: false };
}

function infinity(negative: boolean, precision: number): HclNumber {
  return { negative, mantissa: 0n, exponent: 0, precision, infinite: true };
}

export const infinite = (negative: boolean): HclNumber => infinity(negative, literalPrecision);

/** A whole number, as the functions that count give it. */
export function fromInteger(value: number | bigint): HclNumber {
  const big = BigInt(value);
  const mantissa = big < 0n ? -big : big;
  return { negative: big < 0n, mantissa, exponent: 0, precision: Math.max(64, bitLength(mantissa)), infinite: false };
}

const floatBytes = new DataView(new ArrayBuffer(8));

/** A 64-bit float with its 53 bits; nothing for NaN. */
export function fromFloat(value: number): HclNumber | undefined {
  if (Number.isNaN(value)) return undefined;
  if (!Number.isFinite(value)) return infinity(value < 0, 53);
  floatBytes.setFloat64(0, value);
  const bits = floatBytes.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = exponent === 0 ? fraction : fraction | 0x10000000000000n;
  return rounded(bits >> 63n === 1n, mantissa, Math.max(exponent, 1) - 1075, 53);
}

const isZero = (a: HclNumber): boolean => a.mantissa === 0n && !a.infinite;
/** -1, 0 or 1. */
export const sign = (a: HclNumber): number => (isZero(a) ? 0 : a.negative ? -1 : 1);
export const negate = (a: HclNumber): HclNumber => ({ ...a, negative: !a.negative });
export const absolute = (a: HclNumber): HclNumber => (a.negative ? { ...a, negative: false } : a);

const top = (a: HclNumber): number => a.exponent + bitLength(a.mantissa);

function addMagnitudes(a: HclNumber, b: HclNumber, precision: number): HclNumber {
  const subtract = a.negative !== b.negative;
  const [high, low] = top(a) >= top(b) ? [a, b] : [b, a];
  let exponent = Math.min(a.exponent, b.exponent);
  // A number far below the last bit kept only tips the rounding: one bit stands for all of it.
  const floor = top(high) - precision - bitLength(high.mantissa) - 8;
  let lowMantissa: bigint;
  if (top(low) < floor) {
    exponent = Math.min(floor, high.exponent);
    lowMantissa = 1n;
  } else lowMantissa = low.mantissa << BigInt(low.exponent - exponent);
  const highMantissa = high.mantissa << BigInt(high.exponent - exponent);
  const sum = subtract ? highMantissa - lowMantissa : highMantissa + lowMantissa;
  const negative = sum < 0n ? !high.negative : high.negative;
  if (sum === 0n) return { negative: false, mantissa: 0n, exponent: 0, precision, infinite: false };
  return rounded(negative, sum < 0n ? -sum : sum, exponent, precision);
}

/** Nothing for the sum of two opposite infinities. */
export function add(a: HclNumber, b: HclNumber): HclNumber | undefined {
  const precision = Math.max(a.precision, b.precision);
  if (a.infinite || b.infinite) {
    if (a.infinite && b.infinite && a.negative !== b.negative) return undefined;
    return infinity(a.infinite ? a.negative : b.negative, precision);
  }
  if (isZero(a) && isZero(b)) return { ...a, negative: a.negative && b.negative, precision };
  if (isZero(a)) return rounded(b.negative, b.mantissa, b.exponent, precision);
  if (isZero(b)) return rounded(a.negative, a.mantissa, a.exponent, precision);
  return addMagnitudes(a, b, precision);
}

export const subtract = (a: HclNumber, b: HclNumber): HclNumber | undefined => add(a, negate(b));

/** The product is exact as long as it fits 512 bits, whatever the factors keep. Nothing for infinity times zero. */
export function multiply(a: HclNumber, b: HclNumber): HclNumber | undefined {
  const negative = a.negative !== b.negative;
  if (a.infinite || b.infinite) return isZero(a) || isZero(b) ? undefined : infinity(negative, literalPrecision);
  const product = rounded(negative, a.mantissa * b.mantissa, a.exponent + b.exponent, literalPrecision);
  return { ...product, precision: Math.max(a.precision, b.precision, minimalBits(product.mantissa)) };
}

function minimalBits(mantissa: bigint): number {
  const length = bitLength(mantissa);
  if (length <= 64) return length;
  return length - bitLength(mantissa & -mantissa) + 1;
}

/** The product rounded to `precision`. */
export const multiplyTo = (a: HclNumber, b: HclNumber, precision: number): HclNumber =>
  a.infinite || b.infinite
    ? infinity(a.negative !== b.negative, precision)
    : rounded(a.negative !== b.negative, a.mantissa * b.mantissa, a.exponent + b.exponent, precision);

/** Nothing for 0/0 and for infinity by infinity. */
export function divide(a: HclNumber, b: HclNumber, to?: number): HclNumber | undefined {
  const precision = to ?? Math.max(a.precision, b.precision);
  const negative = a.negative !== b.negative;
  if (a.infinite) return b.infinite ? undefined : infinity(negative, precision);
  if (b.infinite) return { negative, mantissa: 0n, exponent: 0, precision, infinite: false };
  if (isZero(b)) return isZero(a) ? undefined : infinity(negative, precision);
  const shift = Math.max(0, precision + 2 + bitLength(b.mantissa) - bitLength(a.mantissa));
  const dividend = a.mantissa << BigInt(shift);
  const quotient = dividend / b.mantissa;
  const sticky = quotient * b.mantissa !== dividend;
  return rounded(negative, quotient, a.exponent - b.exponent - shift, precision, sticky);
}

/** The whole part, toward zero; `undefined` for infinities and for numbers of more than a million bits. */
export function truncate(a: HclNumber): bigint | undefined {
  if (a.infinite || top(a) > 1_000_000) return undefined;
  const whole =
    a.exponent >= 0 ? a.mantissa << BigInt(a.exponent) : a.mantissa >> BigInt(Math.min(-a.exponent, 2_000_000));
  return a.negative ? -whole : whole;
}

export function isInteger(a: HclNumber): boolean {
  if (a.infinite) return false;
  if (a.exponent >= 0 || a.mantissa === 0n) return true;
  if (-a.exponent >= bitLength(a.mantissa)) return false;
  return (a.mantissa & ((1n << BigInt(-a.exponent)) - 1n)) === 0n;
}

/** The remainder, with the sign of the dividend. Nothing when either side is infinite. */
export function remainder(a: HclNumber, b: HclNumber): HclNumber | undefined {
  if (isZero(b)) return a;
  if (a.infinite || b.infinite) return undefined;
  const whole = truncate(divide(a, b)!);
  if (whole === undefined) return undefined;
  // All steps with the precision of the dividend.
  const near = rounded(whole < 0n, whole < 0n ? -whole : whole, 0, a.precision);
  const result = subtract(a, multiplyTo(b, near, a.precision));
  return result && rounded(result.negative, result.mantissa, result.exponent, a.precision);
}

/** Negative, zero or positive, as `a` is below, at or above `b`. */
export function compare(a: HclNumber, b: HclNumber): number {
  const signs = sign(a) - sign(b);
  if (signs !== 0 || isZero(a)) return signs;
  const flip = a.negative ? -1 : 1;
  if (a.infinite || b.infinite) return flip * (Number(a.infinite) - Number(b.infinite));
  const tops = top(a) - top(b);
  if (tops !== 0) return flip * tops;
  const exponent = Math.min(a.exponent, b.exponent);
  const difference = (a.mantissa << BigInt(a.exponent - exponent)) - (b.mantissa << BigInt(b.exponent - exponent));
  return flip * (difference < 0n ? -1 : difference > 0n ? 1 : 0);
}

/** The nearest 64-bit float. */
export function toFloat(a: HclNumber): number {
  if (a.infinite) return a.negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (a.mantissa === 0n) return a.negative ? -0 : 0;
  const length = bitLength(a.mantissa);
  // Below the smallest normal number fewer bits are left.
  const room = Math.min(53, length + a.exponent + 1074);
  if (room < 0) return a.negative ? -0 : 0;
  const near = rounded(a.negative, a.mantissa, a.exponent, Math.max(room, 1));
  const value = scale(Number(near.mantissa), near.exponent);
  return a.negative ? -value : value;
}

function scale(mantissa: number, exponent: number): number {
  let value = mantissa;
  let left = exponent;
  while (left > 500 && Number.isFinite(value)) {
    value *= 2 ** 500;
    left -= 500;
  }
  while (left < -1000) {
    value *= 2 ** -500;
    left += 500;
  }
  return value * 2 ** Math.max(left, -1074) * (left < -1074 ? 2 ** (left + 1074) : 1);
}
