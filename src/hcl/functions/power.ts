const view = new DataView(new ArrayBuffer(8));

/** A finite number other than 0 as `fraction × 2^exponent`, the fraction from 0.5 to 1 without its sign. */
function split(value: number): { fraction: number; exponent: number } {
  const scale = Math.abs(value) < 2 ** -1022 ? 2 ** 52 : 1;
  view.setFloat64(0, value * scale);
  const high = view.getUint32(0);
  const exponent = ((high >>> 20) & 0x7ff) - 1022 - (scale === 1 ? 0 : 52);
  view.setUint32(0, (high & 0x800fffff) | (1022 << 20));
  return { fraction: view.getFloat64(0), exponent };
}

/** `value × 2^exponent` in steps that round once at most. */
function scaled(value: number, exponent: number): number {
  let [result, left] = [value, exponent];
  for (; left > 1000; left -= 1000) result *= 2 ** 1000;
  for (; left < -1000; left += 1000) result *= 2 ** -1000;
  return result * 2 ** left;
}

/**
 * `base` to a power, to the last bit as Nomad has it: by repeated squaring of fractions, exponents counted apart. An engine's own
 * `**` may differ in the last digit.
 */
export function power(base: number, exponent: number): number {
  const size = Math.abs(exponent);
  const special = base === 0 || base === 1 || !Number.isFinite(base) || !Number.isFinite(exponent) || size >= 2 ** 53;
  if (special || size === 0 || size === 1 || size === 0.5) {
    if (size === 0.5 && base >= 0) return exponent > 0 ? Math.sqrt(base) : 1 / Math.sqrt(base);
    if (base === -1 && size === Number.POSITIVE_INFINITY) return 1;
    return base === 1 ? 1 : base ** exponent;
  }
  let whole = Math.floor(size);
  let part = size - whole;
  if (part !== 0 && base < 0) return Number.NaN;
  if (part > 0.5) {
    part -= 1;
    whole += 1;
  }
  let result = part === 0 ? 1 : Math.exp(part * Math.log(base));
  let shift = 0;
  let { fraction, exponent: power2 } = split(base);
  for (let left = whole; left > 0; left = Math.floor(left / 2)) {
    if (Math.abs(power2) > 4096) {
      shift += power2;
      break;
    }
    if (left % 2 === 1) {
      result *= fraction;
      shift += power2;
    }
    fraction *= fraction;
    power2 *= 2;
    if (fraction < 0.5) {
      fraction *= 2;
      power2 -= 1;
    }
  }
  return exponent < 0 ? scaled(1 / result, -shift) : scaled(result, shift);
}
