/**
 * Flags as Go's flag package reads them: `-x` is `--x`, `-x v` is `-x=v`, a boolean takes a value only with `=`,
 * and the first word that is no flag (or `--`) ends them.
 */
import { nearestName } from '../hcl/suggest.ts';
import { parseDuration } from '../lib/duration.ts';

export interface FlagSpec {
  readonly kind: 'bool' | 'string' | 'int' | 'duration' | 'strings';
  /** For the help: `-task=<name>`. */
  readonly value?: string;
  readonly help: string;
  /** Left out of the help. */
  readonly hidden?: boolean;
}

export interface FlagTable {
  readonly [name: string]: FlagSpec;
}

export interface FlagValues {
  bool(name: string, otherwise?: boolean): boolean;
  /** undefined: not given. */
  string(name: string): string | undefined;
  int(name: string): number | undefined;
  /** Nanoseconds. */
  duration(name: string): number | undefined;
  strings(name: string): readonly string[];
  given(name: string): boolean;
}

export type ParsedFlags =
  | { readonly flags: FlagValues; readonly rest: readonly string[] }
  | { readonly problem: string };

type Raw = string | number | boolean | string[];

const truths: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

export function parseFlags(words: readonly string[], table: FlagTable): ParsedFlags {
  const found = new Map<string, Raw>();
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') {
      at++;
      break;
    }
    if (!word.startsWith('-') || word === '-') break;
    const match = /^--?([^=-][^=]*)(?:=([\s\S]*))?$/.exec(word);
    if (match === null) return { problem: `bad flag syntax: ${word}` };
    const name = match[1]!;
    const spec = Object.hasOwn(table, name) ? table[name]! : undefined;
    if (spec === undefined) return { problem: `flag provided but not defined: -${name}${nearFlag(name, table)}` };
    let text = match[2];
    if (text === undefined && spec.kind === 'bool') text = 'true';
    if (text === undefined) {
      at++;
      text = words[at];
      if (text === undefined) return { problem: `flag needs an argument: -${name}` };
    }
    const problem = store(found, name, spec, text);
    if (problem !== undefined) return { problem };
  }
  return { flags: valuesOf(found), rest: words.slice(at) };
}

function nearFlag(name: string, table: FlagTable): string {
  const near = nearestName(
    name,
    Object.keys(table).filter((known) => table[known]!.hidden !== true),
  );
  return near === undefined ? '' : `; did you mean -${near}?`;
}

function store(found: Map<string, Raw>, name: string, spec: FlagSpec, text: string): string | undefined {
  switch (spec.kind) {
    case 'string':
      found.set(name, text);
      return undefined;
    case 'strings':
      found.set(name, [...((found.get(name) as string[] | undefined) ?? []), text]);
      return undefined;
    case 'bool': {
      const value = truths[text];
      if (value === undefined) return `invalid boolean value "${text}" for -${name}: parse error`;
      found.set(name, value);
      return undefined;
    }
    case 'int': {
      if (!/^[+-]?\d+$/.test(text)) return `invalid value "${text}" for flag -${name}: parse error`;
      found.set(name, Number(text));
      return undefined;
    }
    case 'duration': {
      const value = parseDuration(text);
      if (value === undefined) return `invalid value "${text}" for flag -${name}: parse error`;
      found.set(name, value);
      return undefined;
    }
  }
}

function valuesOf(found: ReadonlyMap<string, Raw>): FlagValues {
  return {
    bool: (name, otherwise = false) => (found.get(name) as boolean | undefined) ?? otherwise,
    string: (name) => found.get(name) as string | undefined,
    int: (name) => found.get(name) as number | undefined,
    duration: (name) => found.get(name) as number | undefined,
    strings: (name) => (found.get(name) as readonly string[] | undefined) ?? [],
    given: (name) => found.has(name),
  };
}
