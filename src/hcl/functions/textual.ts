import { countGraphemes, splitGraphemes } from '../graphemes.ts';
import { LimitError, maxValueSize } from '../limits.ts';
import { decodeUtf8, encodeUtf8 } from '../source.ts';
import { listType, stringType } from '../type.ts';
import { asItems, asString, integerValue, listValue, stringValue, type Value } from '../value.ts';
import { base64Decode, base64Encode } from './base64.ts';
import { costing, define, number, text, typed, variadic, wholeNumber } from './define.ts';
import { FunctionError, type HclFunction } from './function.ts';
import { replaceRegex } from './regex-replace.ts';

const maxText = maxValueSize * 16;

/** Upper or lower case of each character by itself, as long as that is one character again. */
function mapCase(value: string, change: (char: string) => string): string {
  if (!/[^\0-\x7f]/.test(value)) return change(value);
  return [...value]
    .map((char) => {
      const changed = change(char);
      return [...changed].length === 1 ? changed : char === 'İ' ? 'i' : char;
    })
    .join('');
}

const upper = (value: string): string => mapCase(value, (char) => char.toUpperCase());
const lower = (value: string): string => mapCase(value, (char) => char.toLowerCase());

function title(value: string): string {
  let inWord = false;
  return [...value]
    .map((char) => {
      const first = !inWord;
      inWord = /[\p{L}\p{Nd}_]/u.test(char) || (char > '\x7f' && !/\s/u.test(char));
      return first && inWord ? upper(char) : char;
    })
    .join('');
}

function replaceAll(value: string, search: string, by: string): string {
  const count = search === '' ? value.length + 1 : value.split(search).length;
  if (count * by.length + value.length > maxText) throw new LimitError(`a text of more than ${maxText} characters`);
  if (search === '') return by + [...value].map((char) => char + by).join('');
  return value.split(search).join(by);
}

function indent(args: readonly Value[]): Value {
  const spaces = wholeNumber(args, 0, false);
  if (spaces < 0) throw new FunctionError('the number of spaces cannot be negative');
  if (spaces > 65_536) throw new FunctionError('at most 65536 spaces can be put before a line');
  return stringValue(replaceAll(asString(args[1]!), '\n', `\n${' '.repeat(spaces)}`));
}

function substring(args: readonly Value[]): Value {
  const clusters = splitGraphemes(asString(args[0]!));
  const offset = wholeNumber(args, 1, false);
  const length = wholeNumber(args, 2, false);
  const start = offset < 0 ? Math.max(0, clusters.length + offset) : offset;
  // From the end, a length of 0 means the rest: so it is in Nomad.
  const rest = length < 0 || (length === 0 && offset < 0);
  return stringValue(clusters.slice(start, rest ? undefined : start + length).join(''));
}

function trimChars(value: string, cut: string): string {
  const chars = [...value];
  const set = new Set(cut);
  let start = 0;
  let end = chars.length;
  while (start < end && set.has(chars[start]!)) start++;
  while (end > start && set.has(chars[end - 1]!)) end--;
  return chars.slice(start, end).join('');
}

function join(args: readonly Value[]): Value {
  const texts: string[] = [];
  if (args.length === 1) throw new FunctionError('at least one list is required');
  for (const [i, list] of args.entries()) {
    if (i === 0) continue;
    for (const item of asItems(list)) {
      if (item.state === 'null') throw new FunctionError('an element is null', i);
      texts.push(asString(item));
    }
  }
  return stringValue(texts.join(asString(args[0]!)));
}

function split(separator: string, value: string): Value {
  const parts = separator === '' ? [...value] : value.split(separator);
  return listValue(parts.map(stringValue), stringType);
}

const white = /^[\s\u0085]+|[\s\u0085]+$/gu;
/** White space of Unicode; JavaScript also counts the byte order mark, which is none. */
const trimSpace = (value: string): string =>
  value.replace(white, (run) => (run.includes('\ufeff') ? trimAround(run) : ''));
const trimAround = (run: string): string => run.slice(run.indexOf('\ufeff'), run.lastIndexOf('\ufeff') + 1);

const reverse = (value: string): string => splitGraphemes(value).reverse().join('');

function urlEncode(value: string): string {
  return [...encodeUtf8(value)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      if (/[A-Za-z0-9_.~-]/.test(char)) return char;
      return char === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

function decodeBase64(value: string): Value {
  const bytes = base64Decode(value);
  if (bytes === undefined) throw new FunctionError('this is not base64');
  const decoded = decodeUtf8(bytes);
  if (decoded.includes('\ufffd') && !sameBytes(encodeUtf8(decoded), bytes))
    throw new FunctionError('what is encoded is no text: its bytes are not UTF-8');
  return stringValue(decoded);
}

const plain = (description: string, apply: (value: string) => string): HclFunction =>
  define(description, [text('str')], ([a]) => stringValue(apply(asString(a!))));

const withSecond = (
  description: string,
  second: string,
  apply: (value: string, other: string) => string,
): HclFunction =>
  define(description, [text('str'), text(second)], ([a, b]) => stringValue(apply(asString(a!), asString(b!))));

export const textualFunctions: Readonly<Record<string, HclFunction>> = {
  base64decode: define('The text whose base64 form is given.', [text('str')], ([a]) => decodeBase64(asString(a!))),
  base64encode: plain('The base64 form of a text.', (value) => base64Encode(encodeUtf8(value))),
  chomp: plain('The text without line ends at its end.', (value) => value.replace(/[\r\n]+$/, '')),
  indent: define(
    'The text with spaces at the start of each line but the first.',
    [number('spaces'), text('str')],
    indent,
  ),
  join: variadic('The elements of lists in one text.', [text('separator')], typed('lists', listType(stringType)), join),
  lower: plain('The text in lower case.', lower),
  upper: plain('The text in upper case.', upper),
  title: plain('The text with each word starting in upper case.', title),
  replace: define(
    'The text with every occurrence of another replaced.',
    [text('str'), text('substr'), text('replace')],
    ([a, b, c]) => stringValue(replaceAll(asString(a!), asString(b!), asString(c!))),
  ),
  regex_replace: costing(
    ([a, b]) => asString(a!).length * (4 + asString(b!).length),
    define(
      'The text with every match of a regular expression replaced; $1 and ${name} in the replacement stand for groups.',
      [text('str'), text('pattern'), text('replace')],
      ([a, b, c]) => stringValue(replaceRegex(asString(a!), asString(b!), asString(c!))),
    ),
  ),
  reverse: plain('The text backwards.', reverse),
  strrev: plain('The text backwards.', reverse),
  split: define('The parts of a text between separators.', [text('separator'), text('str')], ([a, b]) =>
    split(asString(a!), asString(b!)),
  ),
  strlen: define('The number of characters, as people count them.', [text('str')], ([a]) =>
    integerValue(countGraphemes(asString(a!))),
  ),
  substr: define(
    'A part of a text; a negative offset counts from the end, length -1 means the rest.',
    [text('str'), number('offset'), number('length')],
    substring,
  ),
  trim: withSecond('The text without any of some characters at both ends.', 'cutset', trimChars),
  trimprefix: withSecond('The text without a prefix.', 'prefix', (value, prefix) =>
    value.startsWith(prefix) ? value.slice(prefix.length) : value,
  ),
  trimsuffix: withSecond('The text without a suffix.', 'suffix', (value, suffix) =>
    suffix !== '' && value.endsWith(suffix) ? value.slice(0, -suffix.length) : value,
  ),
  trimspace: plain('The text without white space at both ends.', trimSpace),
  urlencode: plain('The text as part of the query of a URL.', urlEncode),
};
