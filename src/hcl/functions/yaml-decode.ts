import { isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments, type Scalar } from 'yaml';
import { LimitError, maxValueSize } from '../limits.ts';
import { infinite } from '../number.ts';
import { parseNumber } from '../number-parse.ts';
import { numberText } from '../number-text.ts';
import {
  asNumber,
  asString,
  boolValue,
  integerValue,
  nullDynamic,
  numberValue,
  objectValue,
  stringValue,
  tupleValue,
  type Value,
} from '../value.ts';
import { base64Decode } from './base64.ts';
import { parseMoment } from './calendar.ts';
import { FunctionError } from './function.ts';

/** Value of a YAML text with exactly one document. Words like `yes` and `on` are bools, as in YAML 1.1. */
export function yamlDecode(source: string): Value {
  const documents = parseAllDocuments(source, {
    schema: 'failsafe',
    uniqueKeys: false,
    merge: false,
    logLevel: 'silent',
  });
  if (!Array.isArray(documents) || documents.length === 0) throw new FunctionError('the text holds no YAML value');
  const [document, second] = documents;
  const problem = document!.errors[0];
  if (problem !== undefined) throw new FunctionError(problem.message.split('\n')[0]!);
  if (second !== undefined) throw new FunctionError('only one document can be decoded');
  const root = document!.contents as Node | null;
  if (root === null || (isScalar(root) && root.source === '' && root.tag === undefined && root.type === 'PLAIN')) {
    throw new FunctionError('the text holds no YAML value');
  }
  return new YamlReader().value(root);
}

const core = 'tag:yaml.org,2002:';

class YamlReader {
  readonly #anchors = new Map<string, Value | undefined>();
  #size = 0;
  #depth = 0;

  value(node: unknown): Value {
    if (++this.#depth > 500) throw new LimitError('more than 500 levels of YAML');
    const value = this.#inside(node);
    this.#depth--;
    this.#size += value.size;
    if (this.#size > maxValueSize) throw new LimitError(`a value of more than ${maxValueSize} elements`);
    return value;
  }

  #inside(node: unknown): Value {
    if (isAlias(node)) {
      const value = this.#anchors.get(node.source);
      if (value === undefined) {
        const why = this.#anchors.has(node.source) ? 'refers to what it is in' : 'is defined nowhere before';
        throw new FunctionError(`the alias ${JSON.stringify(node.source)} ${why}`);
      }
      return value;
    }
    const anchor = (node as (Node & { anchor?: string }) | null)?.anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const value = this.#content(node);
    if (anchor !== undefined) this.#anchors.set(anchor, value);
    return value;
  }

  #content(node: unknown): Value {
    if (isScalar(node)) return scalarValue(node);
    if (isSeq(node)) {
      checkTag(node.tag, 'seq');
      return tupleValue(node.items.map((item) => this.value(item)));
    }
    if (isMap(node)) {
      checkTag(node.tag, 'map');
      return this.#map(node.items);
    }
    return nullDynamic;
  }

  #map(items: readonly { readonly key: unknown; readonly value: unknown }[]): Value {
    const entries = new Map<string, Value>();
    const merged = new Map<string, Value>();
    for (const { key, value } of items) {
      if (isScalar(key) && key.type === 'PLAIN' && key.source === '<<' && key.tag === undefined) {
        const from = this.value(value);
        const maps = from.type.kind === 'tuple' ? (from.data as readonly Value[]) : [from];
        for (const map of maps) {
          if (map.type.kind !== 'object' || map.state !== 'known')
            throw new FunctionError('only a map can be merged with "<<"');
          for (const [name, item] of map.data as ReadonlyMap<string, Value>)
            if (!merged.has(name)) merged.set(name, item);
        }
      } else entries.set(keyText(this.value(key)), this.value(value));
    }
    return objectValue(new Map([...merged, ...entries]));
  }
}

function checkTag(tag: string | undefined, wanted: string): void {
  if (tag !== undefined && tag !== core + wanted) throw new FunctionError(`the tag ${JSON.stringify(tag)} is unknown`);
}

function keyText(key: Value): string {
  if (key.state !== 'known') throw new FunctionError('a key cannot be null');
  if (key.type.kind === 'string') return asString(key);
  if (key.type.kind === 'number') return numberText(asNumber(key));
  if (key.type.kind === 'bool') return String(key.data);
  throw new FunctionError('a key must be a text, a number or a bool');
}

function scalarValue(node: Scalar): Value {
  const source = typeof node.value === 'string' ? node.value : (node.source ?? '');
  if (node.tag !== undefined && node.tag !== '!') return taggedValue(node.tag, source);
  return node.type === 'PLAIN' ? plainValue(source) : stringValue(source);
}

function taggedValue(tag: string, source: string): Value {
  const kind = tag.startsWith(core) ? tag.slice(core.length) : undefined;
  if (kind === 'str') return stringValue(source);
  if (kind === 'binary') {
    const text = source.replace(/\s/g, '');
    if (base64Decode(text) === undefined) throw new FunctionError('a binary value is not base64');
    return stringValue(text);
  }
  const wanted: Readonly<Record<string, string>> = {
    int: 'number',
    float: 'number',
    bool: 'bool',
    null: 'dynamic',
    timestamp: 'string',
  };
  const value = plainValue(source);
  if (kind === undefined || wanted[kind] === undefined)
    throw new FunctionError(`the tag ${JSON.stringify(tag)} is unknown`);
  if (value.type.kind !== wanted[kind]) throw new FunctionError(`${JSON.stringify(source)} is no ${kind}`);
  return value;
}

const yes = /^(?:y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE)$/;
const no = /^(?:n|N|no|No|NO|off|Off|OFF|false|False|FALSE)$/;

/** What an unquoted scalar stands for. */
function plainValue(source: string): Value {
  if (/^(?:|~|null|Null|NULL)$/.test(source)) return nullDynamic;
  if (yes.test(source)) return boolValue(true);
  if (no.test(source)) return boolValue(false);
  if (/^[+-]?\.(?:inf|Inf|INF)$/.test(source)) return numberValue(infinite(source.startsWith('-')));
  if (/^[+-]?0[xob][0-9a-fA-F]+$/.test(source)) {
    const value = radixNumber(source);
    if (value !== undefined) return value;
  }
  if (/^[+-]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][+-]?[0-9]+)?$/.test(source)) {
    const number = parseNumber(source);
    if (number !== undefined) return numberValue(number);
  }
  return timestampValue(source) ?? stringValue(source);
}

function radixNumber(source: string): Value | undefined {
  try {
    const value = BigInt(source.replace(/^[+-]/, ''));
    return integerValue(source.startsWith('-') ? -value : value);
  } catch {
    return undefined;
  }
}

/** Dates and times are given as texts in one form. */
function timestampValue(source: string): Value | undefined {
  const match =
    /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(\.\d*)?[ \t]*(Z|[+-]\d\d?(?::\d\d)?)?)?$/.exec(
      source,
    );
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  if (hour === undefined && `${month}${day}`.length !== 4) return undefined;
  const two = (part: string | undefined): string => (part ?? '00').padStart(2, '0');
  const offset = /^[+-]\d\d?$/.test(zone) ? `${zone[0]}${two(zone.slice(1))}:00` : zone;
  const digits = fraction.replace(/\.?0*$/, '');
  const stamp = `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${digits}${offset}`;
  return parseMoment(stamp) === undefined ? undefined : stringValue(stamp);
}
