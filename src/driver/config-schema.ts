/**
 * The schema of a driver's options: said once, it gives the TypeScript type, the decoder (config-decode), and later the plugin
 * protocol's specification and documentation.
 *
 *   const schema = {
 *     command: option.string({ required: true, doc: 'The program.' }),
 *     args: option.list(option.string()),
 *     mount: option.blocks({ source: option.string(), readonly: option.bool({ default: false }) }),
 *   };
 *   type Options = ConfigOf<typeof schema>;   // { command: string; args: string[]; mount: { source: string | null; … }[] }
 *
 * What is absent: its default; for lists, maps and repeated blocks an empty one; else null.
 */

export type OptionType =
  | { readonly kind: 'string' | 'number' | 'bool' | 'any' }
  | { readonly kind: 'list' | 'map'; readonly of: OptionType }
  /** At most one block. */
  | { readonly kind: 'block'; readonly fields: ConfigSchema }
  /** Any number of blocks of one name. */
  | { readonly kind: 'blocks'; readonly fields: ConfigSchema; readonly minimum: number; readonly maximum: number };

export interface ConfigOption<out T = unknown> {
  readonly type: OptionType;
  readonly required: boolean;
  /** Undefined: none. */
  readonly default: unknown;
  /** One sentence for people. */
  readonly doc: string;
  /** Only in the type system: what a decoded value is. */
  readonly decoded?: T;
}

export interface ConfigSchema {
  readonly [name: string]: ConfigOption;
}

/** The decoded value of a schema: every option is there. */
export type ConfigOf<S extends ConfigSchema> = {
  readonly [K in keyof S]: S[K] extends ConfigOption<infer T> ? T : never;
};

interface Rules<T> {
  readonly required?: boolean;
  readonly default?: T;
  readonly doc?: string;
}

type Settled<T, R> = R extends { readonly required: true } ? T : R extends { readonly default: T } ? T : T | null;

function optionOf(type: OptionType, rules: Rules<unknown>): ConfigOption<never> {
  return { type, required: rules.required ?? false, default: rules.default, doc: rules.doc ?? '' };
}

function scalar<T>(kind: 'string' | 'number' | 'bool') {
  return <const R extends Rules<T>>(rules?: R): ConfigOption<Settled<T, R>> => optionOf({ kind }, rules ?? {});
}

type Element<O> = O extends ConfigOption<infer T> ? NonNullable<T> : never;

export const option = {
  string: scalar<string>('string'),
  /** A whole or broken number within ±2^53. */
  number: scalar<number>('number'),
  bool: scalar<boolean>('bool'),
  any: (rules: Rules<unknown> = {}): ConfigOption<unknown> => optionOf({ kind: 'any' }, rules),
  list: <O extends ConfigOption>(
    of: O,
    rules: Rules<readonly Element<O>[]> = {},
  ): ConfigOption<readonly Element<O>[]> => optionOf({ kind: 'list', of: of.type }, { default: [], ...rules }),
  /** Also takes what a block gives: a list of maps, of which later ones win. */
  map: <O extends ConfigOption>(
    of: O,
    rules: Rules<Readonly<Record<string, Element<O>>>> = {},
  ): ConfigOption<Readonly<Record<string, Element<O>>>> =>
    optionOf({ kind: 'map', of: of.type }, { default: {}, ...rules }),
  block: <S extends ConfigSchema, const R extends Rules<ConfigOf<S>>>(
    fields: S,
    rules?: R,
  ): ConfigOption<Settled<ConfigOf<S>, R>> => optionOf({ kind: 'block', fields }, rules ?? {}),
  blocks: <S extends ConfigSchema>(
    fields: S,
    rules: { readonly minimum?: number; readonly maximum?: number; readonly doc?: string } = {},
  ): ConfigOption<readonly ConfigOf<S>[]> =>
    optionOf(
      { kind: 'blocks', fields, minimum: rules.minimum ?? 0, maximum: rules.maximum ?? Number.MAX_SAFE_INTEGER },
      { default: [], ...rules },
    ),
};
