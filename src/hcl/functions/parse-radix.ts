/** Most digits of a number in a base that is no power of two. */
const maxDigits = 20_000;

function digitOf(code: number, base: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 122) return code - 87;
  // Up to base 36 letters of either case are the same digits.
  if (code >= 65 && code <= 90) return base <= 36 ? code - 55 : code - 29;
  return 99;
}

/** The whole number a text stands for, with an optional sign; nothing for any other text. */
export function parseRadix(text: string, base: number): bigint | undefined {
  const match = /^([+-]?)([0-9a-zA-Z]+)$/.exec(text);
  if (match === null || base === 0 || match[2]!.length > maxDigits) return undefined;
  const radix = BigInt(base);
  let value = 0n;
  for (let i = 0; i < match[2]!.length; i++) {
    const digit = digitOf(match[2]!.charCodeAt(i), base);
    if (digit >= base) return undefined;
    value = value * radix + BigInt(digit);
  }
  return match[1] === '-' ? -value : value;
}
