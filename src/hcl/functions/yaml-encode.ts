import type { HclNumber } from '../number.ts';
import { asEntries, asItems, asNumber, asString, type Value } from '../value.ts';
import { FunctionError } from './function.ts';

type NumberText = (number: HclNumber) => string;

/** A YAML text of a value, in blocks; all texts and keys are in double quotes, or literal blocks when they have lines. */
export function yamlEncode(value: Value, numberText: NumberText): string {
  const scalar = scalarText(value, numberText);
  if (scalar !== undefined) return `${scalar}\n...\n`;
  return blockText(value, '', numberText, true).replace(/^\n/, '');
}

/** Numbers, bools and null; nothing for what is quoted or nested. */
function scalarText(value: Value, numberText: NumberText): string | undefined {
  if (value.state === 'null') return 'null';
  if (value.state === 'unknown') throw new FunctionError('a value that is not known cannot be encoded');
  if (value.type.kind === 'bool') return String(value.data);
  if (value.type.kind !== 'number') return undefined;
  const number = asNumber(value);
  if (number.infinite) return number.negative ? '-Inf' : '+Inf';
  return numberText(number);
}

/** The value as it stands after `key:` or `-`: in the same line, or with a line end first. */
function blockText(value: Value, indent: string, numberText: NumberText, top = false): string {
  const scalar = scalarText(value, numberText);
  if (scalar !== undefined) return ` ${scalar}\n`;
  if (value.type.kind === 'string') {
    const shown = stringText(asString(value), indent);
    return top ? shown : ` ${shown}`;
  }
  if (Array.isArray(value.data)) {
    const items = asItems(value);
    if (items.length === 0) return top ? '[]\n' : ' []\n';
    return `\n${items.map((item) => itemText(item, indent, numberText)).join('')}`;
  }
  const entries = [...asEntries(value)];
  if (entries.length === 0) return top ? '{}\n' : ' {}\n';
  return `\n${entries.map(([key, item]) => entryText(key, item, indent, numberText)).join('')}`;
}

function entryText(key: string, item: Value, indent: string, numberText: NumberText): string {
  // A list is not indented below its key, a map and a literal block are.
  if (key.includes('\n') || new TextEncoder().encode(key).length > 128) {
    const inner = `${indent}  `;
    const shown = blockText(item, inner, numberText);
    const value = shown.startsWith('\n') ? ` ${shown.slice(1 + inner.length)}` : shown;
    return `${indent}? ${stringText(key, inner)}${indent}:${value}`;
  }
  const list = item.state === 'known' && Array.isArray(item.data);
  return `${indent}${quoteYaml(key)}:${blockText(item, list ? indent : `${indent}  `, numberText)}`;
}

function itemText(item: Value, indent: string, numberText: NumberText): string {
  const inner = `${indent}  `;
  const shown = blockText(item, inner, numberText);
  // A map or list inside a list starts on the line of the dash.
  if (shown.startsWith('\n')) return `${indent}- ${shown.slice(1 + inner.length)}`;
  return `${indent}-${shown}`;
}

function stringText(text: string, indent: string): string {
  const literal =
    text.includes('\n') &&
    !/[^\n\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/.test(text) &&
    !/ (?:\n|$)/.test(text);
  if (!literal) return `${quoteYaml(text)}\n`;
  const inner = indent === '' ? '  ' : indent;
  const hint = /^[ \n]/.test(text) ? '2' : '';
  const keep = !text.endsWith('\n') ? '-' : /\n\n$|^\n$/.test(text) ? '+' : '';
  const lines = (keep === '-' ? text : text.slice(0, -1)).split('\n');
  return `|${hint}${keep}\n${lines.map((line) => (line === '' ? '' : inner + line)).join('\n')}\n`;
}

const names: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\x1b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u00a0': '\\_',
  '\u2028': '\\L',
  '\u2029': '\\P',
  '\ufeff': '\\uFEFF',
};

function quoteYaml(text: string): string {
  const escaped = [...text].map((char) => {
    const named = names[char];
    if (named !== undefined) return named;
    const code = char.codePointAt(0)!;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return `\\x${code.toString(16).toUpperCase().padStart(2, '0')}`;
    if (code > 0xffff) return `\\U${code.toString(16).toUpperCase().padStart(8, '0')}`;
    return char;
  });
  return `"${escaped.join('')}"`;
}
