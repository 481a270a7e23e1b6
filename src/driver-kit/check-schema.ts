/** What an author's option schema must be, said when the driver is defined and not when the first job comes. */
import { decodeConfig } from '../driver/config-decode.ts';
import type { ConfigOption, ConfigSchema, OptionType } from '../driver/config-schema.ts';
import { Fault } from '../lib/fault.ts';

const kinds = new Set(['string', 'number', 'bool', 'any', 'list', 'map', 'block', 'blocks']);

/** `whose`: `"driver script: config"`. `Fault('invalid')` naming the option and what it has to be. */
export function checkSchema(whose: string, schema: unknown): void {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw new Fault(
      'invalid',
      `${whose} must be an object of options such as { text: option.string() }, not ${shown(schema)}`,
    );
  for (const [name, option] of Object.entries(schema)) checkOption(whose, name, option);
}

function checkOption(whose: string, name: string, option: unknown): void {
  const wrong = (what: string): Fault => new Fault('invalid', `${whose}.${name} ${what}`);
  if (!/^[a-zA-Z_][a-zA-Z0-9_-]*$/.test(name))
    throw wrong('is no name that a job file can hold: letters, digits, "_" and "-", not beginning with a digit');
  if (typeof option === 'function') throw wrong('is a function: call it, as in option.string()');
  const { type, required, default: preset } = (option ?? {}) as Partial<ConfigOption>;
  if (typeof option !== 'object' || option === null || type === undefined || !kinds.has(type.kind))
    throw wrong(`must be made by option.string(), option.list(…) and their like, not ${shown(option)}`);
  checkType(`${whose}.${name}`, type);
  if (preset === undefined || (isEmpty(preset) && type.kind !== 'block')) return;
  if (required === true) throw wrong('is required and has a default: only one of them can be meant');
  const decoded = decodeConfig({ [name]: { type, required: false, default: undefined, doc: '' } } as ConfigSchema, {
    [name]: preset,
  });
  if (!decoded.ok)
    throw wrong(`has the default ${shown(preset)}, which it would refuse: ${decoded.problems.join(' ')}`);
}

function checkType(path: string, type: OptionType): void {
  if (type.kind === 'block' || type.kind === 'blocks') {
    checkSchema(path, type.fields);
    return;
  }
  if (type.kind !== 'list' && type.kind !== 'map') return;
  const of = type.of as OptionType | undefined;
  if (of === undefined || !kinds.has(of.kind))
    throw new Fault('invalid', `${path} needs the type of its elements, as in option.${type.kind}(option.string())`);
  if (of.kind === 'block' || of.kind === 'blocks')
    throw new Fault('invalid', `${path} holds blocks: use option.blocks({ … }) in place of option.${type.kind}(…)`);
  checkType(path, of);
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

function spelled(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `what has no text (${typeof value})`;
  }
}

/** For messages: short, whatever it is. */
export function shown(value: unknown): string {
  let text: string | undefined;
  try {
    text = typeof value === 'function' ? 'a function' : value instanceof Promise ? 'a promise' : JSON.stringify(value);
  } catch {
    // what JSON cannot say
  }
  text ??= spelled(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
