import {
  asEntries,
  asItems,
  asNumber,
  asString,
  boolType,
  convert,
  isInteger,
  isWhollyKnown,
  listType,
  mapType,
  numberType,
  stringType,
  type Type,
  toFloat,
  truncate,
  type Value,
} from '../hcl/index.ts';
import { parseDuration } from '../lib/duration.ts';
import { integerRanges } from '../model/decode.ts';
import type { Field } from '../model/schema.ts';

/** What a field gets from a value, or why it cannot be had. */
export type FieldValue = { readonly json: unknown; readonly reason?: undefined } | { readonly reason: string };

/** The value of an expression → what the field stores: text, number, list or map, with HCL's conversions. */
export function fieldValue(field: Field<unknown>, value: Value): FieldValue {
  if (field.kind === 'duration') return durationValue(value);
  const type = hclType(field);
  const converted = convert(value, type);
  if (converted.error !== undefined) return { reason: converted.error };
  if (!isWhollyKnown(converted.value)) return { reason: 'value must be known' };
  return plain(field, converted.value);
}

function hclType(field: Field<unknown>): Type {
  switch (field.kind) {
    case 'int':
    case 'float':
      return numberType;
    case 'bool':
      return boolType;
    case 'list':
      return listType(hclType(field.item!));
    case 'map':
      return mapType(hclType(field.item!));
    default:
      return stringType;
  }
}

function plain(field: Field<unknown>, value: Value): FieldValue {
  if (value.state === 'null') {
    const absent =
      field.optional === true || field.kind === 'list' || (field.kind === 'map' && field.hcl?.form !== 'mapping');
    return absent ? { json: null } : { reason: 'a value is required, not null' };
  }
  switch (field.kind) {
    case 'int':
      return integer(field, value);
    case 'float':
      return { json: toFloat(asNumber(value)) };
    case 'list':
      return listValue(field, value);
    case 'map':
      return mapValue(field, value);
    default:
      return { json: value.data };
  }
}

function listValue(field: Field<unknown>, value: Value): FieldValue {
  const items: unknown[] = [];
  for (const item of asItems(value)) {
    const result = plain(field.item!, item);
    if (result.reason !== undefined) return result;
    items.push(result.json);
  }
  return { json: items };
}

function mapValue(field: Field<unknown>, value: Value): FieldValue {
  const entries: [string, unknown][] = [];
  for (const [key, item] of asEntries(value)) {
    const result = plain(field.item!, item);
    if (result.reason !== undefined) return { reason: `${JSON.stringify(key)}: ${result.reason}` };
    entries.push([key, result.json]);
  }
  return { json: Object.fromEntries(entries) };
}

function integer(field: Field<unknown>, value: Value): FieldValue {
  const number = asNumber(value);
  const whole = isInteger(number) ? truncate(number) : undefined;
  if (whole === undefined) return { reason: 'a whole number is required' };
  const [minimum, maximum] = integerRanges[field.bits ?? 'int'];
  if (whole < BigInt(minimum) || whole > BigInt(maximum))
    return { reason: `a number from ${minimum} to ${maximum} is required` };
  return { json: Number(whole) };
}

/** A text in Go's notation, or a whole number of nanoseconds. */
function durationValue(value: Value): FieldValue {
  if (value.state === 'unknown') return { reason: 'value must be known' };
  if (value.state === 'null') return { reason: 'a duration is required, not null' };
  if (value.type.kind === 'number') {
    const whole = isInteger(asNumber(value)) ? truncate(asNumber(value)) : undefined;
    if (whole !== undefined && whole >= -(2n ** 63n) && whole < 2n ** 63n) return { json: Number(whole) };
    return { reason: 'a duration is a text like "1h30m" or a whole number of nanoseconds' };
  }
  const text = value.type.kind === 'string' ? asString(value) : '';
  const ns = parseDuration(text);
  if (ns !== undefined) return { json: ns };
  if (/^[0-9]+$/.test(text)) return { reason: `a duration needs a unit (ns, us, ms, s, m, h): "${text}s"` };
  return { reason: 'a duration is a text like "1h30m" (ns, us, ms, s, m, h) or a whole number of nanoseconds' };
}
