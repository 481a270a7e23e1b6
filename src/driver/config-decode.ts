/**
 * A `config {}` body as the job's JSON holds it → the typed value, or every problem at once. Conversions are those of the HCL type
 * system ("2" → 2, true → "true"); blocks come as lists of maps. Texts follow what Nomad's own clients show for the same mistake.
 */

import { nearestName } from '../hcl/suggest.ts';
import { Fault } from '../lib/fault.ts';
import type { ConfigOf, ConfigOption, ConfigSchema, OptionType } from './config-schema.ts';

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  /** One clause each, in the order found. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** `undefined` and null stand for an empty body. */
export function decodeConfig<S extends ConfigSchema>(schema: S, body: unknown): Decoded<ConfigOf<S>> {
  const problems: string[] = [];
  const single = Array.isArray(body) && body.length === 1 ? body[0] : body;
  if (single !== undefined && single !== null && !isObject(single)) {
    return { ok: false, problems: [`Incorrect body: a body of options is needed, not ${typeWord(body)}.`] };
  }
  const value = decodeBody(schema, single ?? {}, '', problems);
  return problems.length === 0 ? { ok: true, value: value as ConfigOf<S> } : { ok: false, problems };
}

/** The same where it must be right. `Fault('invalid')` with every problem. */
export function decodedConfig<S extends ConfigSchema>(schema: S, body: unknown): ConfigOf<S> {
  const result = decodeConfig(schema, body);
  if (!result.ok) throw new Fault('invalid', result.problems.join(' '));
  return result.value;
}

type Body = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function decodeBody(schema: ConfigSchema, body: Body, path: string, problems: string[]): Body {
  const entries: [string, unknown][] = [];
  for (const [name, option] of Object.entries(schema)) {
    const given = Object.hasOwn(body, name) ? body[name] : undefined;
    entries.push([name, decodeOption(option, given, path === '' ? name : `${path}.${name}`, problems)]);
  }
  for (const name of Object.keys(body)) {
    if (Object.hasOwn(schema, name)) continue;
    const near = nearestName(name, Object.keys(schema));
    const where = path === '' ? '' : ` inside "${path}"`;
    const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
    problems.push(`Invalid label: No argument or block type is named ${JSON.stringify(name)}${where}.${hint}`);
  }
  return Object.fromEntries(entries);
}

function decodeOption(option: ConfigOption, given: unknown, path: string, problems: string[]): unknown {
  if (given === undefined || given === null) {
    if (option.required) {
      const what = option.type.kind === 'block' || option.type.kind === 'blocks' ? 'block' : 'argument';
      problems.push(
        `Missing required ${what}: The ${what} ${JSON.stringify(path)} is required, but no definition was found.`,
      );
    }
    if (option.type.kind === 'blocks' && option.type.minimum > 0 && !option.required)
      tooFew(option.type.minimum, 0, path, problems);
    return option.default === undefined ? null : option.default;
  }
  return decodeValue(option.type, given, path, problems);
}

function tooFew(minimum: number, found: number, path: string, problems: string[]): void {
  problems.push(`Insufficient ${path} blocks: At least ${minimum} "${path}" blocks are required; ${found} found.`);
}

function decodeValue(type: OptionType, given: unknown, path: string, problems: string[]): unknown {
  if (type.kind === 'block' || type.kind === 'blocks') return decodeBlocks(type, given, path, problems);
  const converted = convert(type, given);
  if (converted.ok) return converted.value;
  problems.push(
    `Incorrect attribute value type: Inappropriate value for attribute ${JSON.stringify(path)}: ${converted.needed}.`,
  );
  return null;
}

function decodeBlocks(
  type: OptionType & { readonly kind: 'block' | 'blocks' },
  given: unknown,
  path: string,
  problems: string[],
): unknown {
  const bodies = Array.isArray(given) ? given : [given];
  if (!bodies.every(isObject)) {
    problems.push(`Incorrect block: ${JSON.stringify(path)} must be a block, not ${typeWord(given)}.`);
    return null;
  }
  if (type.kind === 'block') {
    if (bodies.length > 1)
      problems.push(`Duplicate ${path} block: Only one block of type ${JSON.stringify(path)} is allowed.`);
    return bodies.length === 0 ? null : decodeBody(type.fields, bodies[0] as Body, path, problems);
  }
  if (bodies.length < type.minimum) tooFew(type.minimum, bodies.length, path, problems);
  if (bodies.length > type.maximum) {
    problems.push(
      `Too many ${path} blocks: No more than ${type.maximum} "${path}" blocks are allowed; ${bodies.length} found.`,
    );
  }
  return bodies.map((body, index) =>
    decodeBody(type.fields, body, bodies.length > 1 ? `${path}[${index}]` : path, problems),
  );
}

type Converted = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly needed: string };

const good = (value: unknown): Converted => ({ ok: true, value });

function convert(type: OptionType, given: unknown): Converted {
  switch (type.kind) {
    case 'any':
      return good(given);
    case 'string':
      return convertString(given);
    case 'number':
      return convertNumber(given);
    case 'bool':
      if (typeof given === 'boolean') return good(given);
      if (given === 'true' || given === '1') return good(true);
      return given === 'false' || given === '0' ? good(false) : { ok: false, needed: 'bool required' };
    case 'list':
      return convertList(type, given);
    case 'map':
      return convertMap(type, given);
    default:
      return { ok: false, needed: `${typeName(type)} required` };
  }
}

function convertString(given: unknown): Converted {
  if (typeof given === 'string') return good(given);
  if (typeof given === 'boolean' || typeof given === 'bigint') return good(String(given));
  return typeof given === 'number' ? good(decimal(given)) : { ok: false, needed: 'string required' };
}

/** Without an exponent, as HCL turns numbers into text. */
function decimal(value: number): string {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = whole + fraction;
  const point = 1 + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return (
    sign + (point >= digits.length ? digits.padEnd(point, '0') : `${digits.slice(0, point)}.${digits.slice(point)}`)
  );
}

function convertNumber(given: unknown): Converted {
  const text =
    typeof given === 'string' && /^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(given.trim()) ? Number(given) : given;
  const value = typeof text === 'bigint' ? Number(text) : text;
  if (typeof value !== 'number' || !Number.isFinite(value)) return { ok: false, needed: 'a number is required' };
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return { ok: false, needed: 'a number within ±2^53 is required' };
  return good(value);
}

function convertList(type: OptionType & { readonly kind: 'list' | 'map' }, given: unknown): Converted {
  const wrong: Converted = { ok: false, needed: `${typeName(type)} required` };
  if (!Array.isArray(given)) return wrong;
  const values: unknown[] = [];
  for (const item of given) {
    const converted = item === null ? wrong : convert(type.of, item);
    if (!converted.ok) return wrong;
    values.push(converted.value);
  }
  return good(values);
}

function convertMap(type: OptionType & { readonly kind: 'list' | 'map' }, given: unknown): Converted {
  const wrong: Converted = { ok: false, needed: `${typeName(type)} required` };
  const bodies = Array.isArray(given) ? given : [given];
  const entries: [string, unknown][] = [];
  for (const body of bodies) {
    if (!isObject(body)) return wrong;
    for (const [key, item] of Object.entries(body)) {
      const converted = item === null ? wrong : convert(type.of, item);
      if (!converted.ok) return wrong;
      entries.push([key, converted.value]);
    }
  }
  return good(Object.fromEntries(entries));
}

function typeName(type: OptionType): string {
  return type.kind === 'list' || type.kind === 'map' ? `${type.kind} of ${typeName(type.of)}` : type.kind;
}

function typeWord(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  return Array.isArray(value) ? 'a list' : isObject(value) ? 'a body' : `a ${typeof value}`;
}
