import { LimitError } from './limits.ts';
import { isInteger, toFloat, truncate } from './number.ts';
import { numberText } from './number-text.ts';
import { asEntries, asItems, asNumber, type Value } from './value.ts';

/** JSON data in memory; whole numbers that a float cannot hold exactly are `bigint`. */
export type JsonData = null | boolean | string | number | bigint | JsonData[] | { [name: string]: JsonData };

/** The value as plain data. Unknown values and infinities have no JSON: `undefined`. */
export function toJson(value: Value): JsonData | undefined {
  if (value.state === 'null') return null;
  if (value.state === 'unknown') return undefined;
  const { data, type } = value;
  if (typeof data === 'string' || typeof data === 'boolean') return data;
  if (type.kind === 'number') return numberJson(value);
  if (Array.isArray(data)) {
    const items = asItems(value).map(toJson);
    return items.includes(undefined) ? undefined : (items as JsonData[]);
  }
  if (!(data instanceof Map)) return undefined;
  const result: { [name: string]: JsonData } = {};
  for (const [key, item] of asEntries(value)) {
    const json = toJson(item);
    if (json === undefined) return undefined;
    Object.defineProperty(result, key, { value: json, enumerable: true, writable: true, configurable: true });
  }
  return result;
}

/** A number as data: exact when it is whole, else the nearest float. */
function numberJson(value: Value): number | bigint | undefined {
  const number = asNumber(value);
  if (number.infinite) return undefined;
  if (!isInteger(number)) return toFloat(number);
  const whole = truncate(number);
  if (whole === undefined) return undefined;
  if (whole === 0n) return number.negative ? -0 : 0;
  const near = Number(whole);
  return Number.isSafeInteger(near) ? near : whole;
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
};

/** A JSON string; `<`, `>`, `&` and the two Unicode line ends are escaped too, as `jsonencode` does. */
function jsonString(text: string): string {
  const escaped = text.replace(/["\\<>&\u2028\u2029\0-\x1f]/g, (char) => {
    return escapes[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

/** JSON text with all digits of all numbers; `undefined` when part of the value has no JSON, or too many digits. */
export function jsonText(value: Value): string | undefined {
  try {
    return encode(value);
  } catch (error) {
    if (error instanceof LimitError) return undefined;
    throw error;
  }
}

function encode(value: Value): string | undefined {
  if (value.state === 'null') return 'null';
  if (value.state === 'unknown') return undefined;
  const { data, type } = value;
  if (typeof data === 'string') return jsonString(data);
  if (typeof data === 'boolean') return String(data);
  if (type.kind === 'number') return asNumber(value).infinite ? undefined : numberText(asNumber(value));
  const parts: string[] = [];
  if (Array.isArray(data)) {
    for (const item of asItems(value)) {
      const text = encode(item);
      if (text === undefined) return undefined;
      parts.push(text);
    }
    return `[${parts.join(',')}]`;
  }
  if (!(data instanceof Map)) return undefined;
  for (const [key, item] of asEntries(value)) {
    const text = encode(item);
    if (text === undefined) return undefined;
    parts.push(`${jsonString(key)}:${text}`);
  }
  return `{${parts.join(',')}}`;
}
