/**
 * The one JSON codec. Integers beyond 2^53 stay exact: as a number where one prints the very same digits (instants in nanoseconds
 * that were numbers before), else as bigint. Everything else is what JSON.parse gives. Both directions take the engine's own path
 * unless a bigint is there.
 */
import { Fault } from './fault.ts';

export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

// A run of 16 digits anywhere (also inside a string: then the slow path runs for nothing, and is still right).
const maybeBig = /\d{16}/;

/** Text → value. A syntax error is `Fault('invalid')` that names line and column. */
export function parseJson(text: string): Json {
  if (maybeBig.test(text) && holdsBig(text)) return new Reader(text).document();
  try {
    return JSON.parse(text) as Json;
  } catch {
    return new Reader(text).document();
  }
}

const digits = /\d{16,}/g;

/** Whether a run of digits (perhaps in a string) is not what a number prints. */
function holdsBig(text: string): boolean {
  for (const [run] of text.matchAll(digits)) if (String(Number(run)) !== run) return true;
  return false;
}

/** Free-form maps of the API's nouns, where an integer is a user's own and stays exact. */
const freeForm: ReadonlySet<string> = new Set(['Config', 'Policy']);

/**
 * Text → value for readers of API nouns: integers beyond 2^53 become the nearest number (instants in nanoseconds are such),
 * but for those in free-form maps, which stay bigints.
 */
export function parseNouns(text: string): Json {
  return maybeBig.test(text) ? narrow(parseJson(text)) : parseJson(text);
}

function narrow(value: Json): Json {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(narrow);
  if (typeof value !== 'object' || value === null) return value;
  for (const [key, item] of Object.entries(value)) if (!freeForm.has(key)) value[key] = narrow(item);
  return value;
}

/** Value → text. `undefined` properties are left out, as JSON.stringify does. */
export function formatJson(value: unknown, indent = 0): string {
  try {
    return JSON.stringify(value, undefined, indent);
  } catch (error) {
    if (!(error instanceof TypeError) || !/BigInt/.test(error.message)) throw error;
    return write(value, indent === 0 ? '' : '\n', ' '.repeat(indent));
  }
}

function write(value: unknown, newline: string, indent: string): string {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON(), newline, indent);
  const inner = newline === '' ? '' : newline + indent;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[${inner}${value.map((item) => write(item, inner, indent)).join(`,${inner}`)}${newline}]`;
  }
  const colon = newline === '' ? ':' : ': ';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (entries.length === 0) return '{}';
  const rows = entries.map(([key, item]) => JSON.stringify(key) + colon + write(item, inner, indent));
  return `{${inner}${rows.join(`,${inner}`)}${newline}}`;
}

const maximumDepth = 10_000;
const maximumDigits = 1000;
const numberAt = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const stringAt = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const spaceAt = /[ \t\r\n]*/y;

class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) this.#fail('text after the end of the value');
    return value;
  }

  #value(): Json {
    this.#space();
    const char = this.#text[this.#at];
    if (char === '{') return this.#nested(() => this.#object());
    if (char === '[') return this.#nested(() => this.#array());
    if (char === '"') return this.#string();
    for (const [word, value] of words) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > maximumDepth) this.#fail(`nested deeper than ${maximumDepth}`);
    const value = read();
    this.#depth--;
    return value;
  }

  #object(): Json {
    const result: { [key: string]: Json } = {};
    this.#at++;
    this.#space();
    if (this.#take('}')) return result;
    for (;;) {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail('expected a property name in double quotes');
      const key = this.#string();
      this.#space();
      if (!this.#take(':')) this.#fail('expected ":"');
      const value = this.#value();
      // defineProperty: a key named __proto__ is a key like any other
      if (key === '__proto__')
        Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
      else result[key] = value;
      this.#space();
      if (this.#take('}')) return result;
      if (!this.#take(',')) this.#fail('expected "," or "}"');
    }
  }

  #array(): Json {
    const result: Json[] = [];
    this.#at++;
    this.#space();
    if (this.#take(']')) return result;
    for (;;) {
      result.push(this.#value());
      this.#space();
      if (this.#take(']')) return result;
      if (!this.#take(',')) this.#fail('expected "," or "]"');
    }
  }

  #string(): string {
    return JSON.parse(this.#match(stringAt, 'a broken string')) as string;
  }

  #number(): Json {
    const text = this.#match(numberAt, this.#at < this.#text.length ? 'expected a value' : 'unexpected end');
    // the time to read a bigint grows faster than its length
    if (text.length > maximumDigits) {
      this.#at -= text.length;
      this.#fail(`a number of ${text.length} characters`);
    }
    const value = Number(text);
    const exact = Number.isSafeInteger(value) || String(value) === text;
    return /^-?\d+$/.test(text) && !exact ? BigInt(text) : value;
  }

  #match(pattern: RegExp, otherwise: string): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) this.#fail(this.#text.startsWith('\ufeff') && this.#at === 0 ? byteOrderMark : otherwise);
    this.#at = pattern.lastIndex;
    return match[0];
  }

  #space(): void {
    this.#match(spaceAt, '');
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #fail(what: string): never {
    const before = this.#text.slice(0, this.#at).split('\n');
    throw new Fault('invalid', `invalid JSON at line ${before.length}, column ${before.at(-1)!.length + 1}: ${what}`);
  }
}

const byteOrderMark = 'a byte order mark, which no value starts with; save the text without one';

const words: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
