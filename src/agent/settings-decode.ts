/** Checks a configuration tree against the table of settings: every problem at once, each with its place. */
import type { Diagnostic } from '../hcl/diagnostic.ts';
import type { SourceRange } from '../hcl/source.ts';
import { nearestName } from '../hcl/suggest.ts';
import { parseDuration } from '../lib/duration.ts';
import { formatJson } from '../lib/json.ts';
import { agentSettings, type Kind, type Setting, type Settings } from './settings.ts';

/** A block, or a JSON object: entries in order, repeats kept. Labels are nested entries: `plugin "x" {}` is plugin → x → {}. */
export interface Tree {
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly key: string;
  readonly range: SourceRange;
  readonly value: TreeValue;
}

export type TreeValue = string | number | bigint | boolean | null | readonly TreeValue[] | Tree;

/** Decoded settings: snake_case keys as written, durations in nanoseconds; only what was set. */
export interface Values {
  readonly [name: string]: Value;
}

export type Value = string | number | boolean | readonly string[] | Values | unknown;

function isTree(value: TreeValue | undefined): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'entries' in value;
}

export interface DecodedSettings {
  readonly values: Values;
  readonly diagnostics: readonly Diagnostic[];
  /** Where each setting stands: `log_level`, `ports.http`, `client.host_volume "data"`. */
  readonly places: ReadonlyMap<string, SourceRange>;
}

export function decodeSettings(tree: Tree): DecodedSettings {
  const decoder = new Decoder();
  const values = decoder.block(tree, agentSettings, '');
  return { values, diagnostics: decoder.diagnostics, places: decoder.places };
}

class Decoder {
  readonly diagnostics: Diagnostic[] = [];
  readonly places = new Map<string, SourceRange>();

  block(tree: Tree, settings: Settings, path: string): Values {
    const values: { [name: string]: Value } = {};
    for (const entry of tree.entries) {
      const setting = settings[entry.key];
      const name = path === '' ? entry.key : `${path}.${entry.key}`;
      if (setting === undefined || !Object.hasOwn(settings, entry.key)) {
        this.#unknown(entry, settings, path);
        continue;
      }
      const value = this.#setting(entry, setting, name);
      if (value === undefined) continue;
      this.places.set(name, entry.range);
      if (this.#refused(entry, setting, name, value)) continue;
      if (setting.served === 'later')
        this.#warn(
          entry.range,
          `${name} has no effect yet`,
          'The setting is understood but not served by this version.',
        );
      values[entry.key] = entry.key in values ? mergeValue(values[entry.key], value) : value;
    }
    return values;
  }

  #setting(entry: Entry, setting: Setting, name: string): Value | undefined {
    if (setting.repeat === 'labelled') return this.#labelled(entry, setting, name);
    if (typeof setting.kind === 'object') {
      const blocks = treesOf(entry.value);
      if (blocks === undefined) return this.#wrong(entry, name, 'a block');
      return blocks
        .map((tree) => this.block(tree, setting.kind as Settings, name))
        .reduce<Values>((a, b) => mergeValues(a, b), {});
    }
    return this.#scalar(entry, setting.kind, name);
  }

  #labelled(entry: Entry, setting: Setting, name: string): Values | undefined {
    const outer = treesOf(entry.value);
    if (outer === undefined) return this.#wrong(entry, name, 'a block with a label');
    let result: Values = {};
    for (const label of outer.flatMap((tree) => tree.entries)) {
      const blocks = treesOf(label.value);
      if (blocks === undefined) return this.#wrong(entry, name, `a block with a label, like ${entry.key} "name" { … }`);
      this.places.set(`${name} "${label.key}"`, label.range);
      for (const tree of blocks) {
        const inner = this.block(tree, setting.kind as Settings, `${name} "${label.key}"`);
        result = mergeValues(result, { [label.key]: inner });
      }
    }
    return result;
  }

  #scalar(entry: Entry, kind: Kind, name: string): Value | undefined {
    const value = entry.value;
    switch (kind) {
      case 'free':
        return plain(value);
      case 'string':
        return typeof value === 'object' ? this.#wrong(entry, name, 'a string') : String(value);
      case 'bool':
        if (value === true || value === 'true' || value === '1' || value === 1) return true;
        if (value === false || value === 'false' || value === '0' || value === 0) return false;
        return this.#wrong(entry, name, 'true or false');
      case 'int':
      case 'float':
        return this.#number(entry, kind, name);
      case 'duration': {
        const ns = typeof value === 'string' ? parseDuration(value) : undefined;
        return ns ?? this.#wrong(entry, name, 'a duration such as "30s" or "1h15m"');
      }
      case 'strings': {
        const items = typeof value === 'string' ? [value] : value;
        if (!Array.isArray(items) || items.some((item) => typeof item === 'object'))
          return this.#wrong(entry, name, 'a list of strings');
        return items.map(String);
      }
      case 'map':
        return this.#map(entry, name);
    }
  }

  #number(entry: Entry, kind: 'int' | 'float', name: string): number | undefined {
    const number = typeof entry.value === 'string' && entry.value.trim() !== '' ? Number(entry.value) : entry.value;
    if (typeof number !== 'number' || !Number.isFinite(number) || (kind === 'int' && !Number.isSafeInteger(number)))
      return this.#wrong(entry, name, kind === 'int' ? 'a whole number' : 'a number');
    return number;
  }

  #map(entry: Entry, name: string): Values | undefined {
    const trees = treesOf(entry.value);
    if (trees === undefined) return this.#wrong(entry, name, 'a map of strings');
    const result: { [key: string]: string } = {};
    for (const { key, value, range } of trees.flatMap((tree) => tree.entries)) {
      if (typeof value === 'object') return this.#wrong({ key, value, range }, `${name}.${key}`, 'a string');
      result[key] = String(value);
    }
    return result;
  }

  #refused(entry: Entry, setting: Setting, name: string, value: Value): boolean {
    if (setting.served !== 'refused') return false;
    if (setting.harmless !== undefined && formatJson(value) === formatJson(setting.harmless)) return true;
    this.diagnostics.push({
      severity: 'error',
      summary: `${name} is not served by this version`,
      detail: `The agent does not start, because ${setting.because}. Remove the setting to go on without it.`,
      subject: entry.range,
    });
    return true;
  }

  #unknown(entry: Entry, settings: Settings, path: string): void {
    const nearest = nearestName(entry.key, Object.keys(settings));
    const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
    const where = path === '' ? 'an agent configuration' : `${path}`;
    this.diagnostics.push({
      severity: 'error',
      summary: `unexpected key ${entry.key}`,
      detail: `There is no setting of this name in ${where}.${hint}`,
      subject: entry.range,
    });
  }

  #wrong(entry: Entry, name: string, expected: string): undefined {
    const shown = /token|encrypt|secret/.test(name) ? '(a secret, not shown)' : formatJson(plain(entry.value));
    this.diagnostics.push({
      severity: 'error',
      summary: `${name} is not ${expected}`,
      detail: `It is ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}; expected ${expected}.`,
      subject: entry.range,
    });
    return undefined;
  }

  #warn(range: SourceRange, summary: string, detail: string): void {
    this.diagnostics.push({ severity: 'warning', summary, detail, subject: range });
  }
}

/** A block, or a list of them (JSON and HCL1 write repeated blocks so). */
function treesOf(value: TreeValue): readonly Tree[] | undefined {
  if (isTree(value)) return [value];
  if (Array.isArray(value) && value.every(isTree)) return value;
  return undefined;
}

function plain(value: TreeValue): unknown {
  if (isTree(value)) {
    const result: { [key: string]: unknown } = {};
    for (const entry of value.entries) {
      const item = plain(entry.value);
      // HCL1: a block that is repeated is a list of its occurrences
      const before = result[entry.key];
      result[entry.key] = before === undefined ? item : Array.isArray(before) ? [...before, item] : [before, item];
    }
    return result;
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

/** Later files over earlier ones: scalars override where they are not zero, booleans are ORed, maps and named blocks merge by key. */
export function mergeValues(base: Values, over: Values): Values {
  const result: { [name: string]: Value } = { ...base };
  for (const [key, value] of Object.entries(over)) result[key] = key in base ? mergeValue(base[key], value) : value;
  return result;
}

function mergeValue(base: Value, over: Value): Value {
  if (typeof base === 'boolean' && typeof over === 'boolean') return base || over;
  if (over === '' || over === 0) return base;
  if (Array.isArray(base) && Array.isArray(over)) return over.length === 0 ? base : over;
  if (isPlain(base) && isPlain(over)) return mergeValues(base, over);
  return over;
}

function isPlain(value: Value): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
