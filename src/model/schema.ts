/**
 * Field tables. A noun is described once, as a table of its fields; the table gives its TypeScript type and drives decoding,
 * defaults, validation, diff, HCL and documentation. Keys are the JSON names of the wire.
 */

/** Who may see a row: API callers, the store alone, or nobody but its owner (secrets never leave through the API). */
export type Visibility = 'api' | 'stored' | 'secret';

export type FieldKind =
  | 'string'
  | 'int'
  | 'float'
  | 'bool'
  | 'duration'
  | 'time'
  | 'bytes'
  | 'any'
  | 'list'
  | 'map'
  | 'object';

/** Go's zero of a plain kind: what is meant where nothing was said. undefined: the kind has none that is plain. */
export function zeroOf(kind: FieldKind): '' | 0 | false | undefined {
  switch (kind) {
    case 'string':
    case 'bytes':
      return '';
    case 'int':
    case 'float':
    case 'duration':
      return 0;
    case 'bool':
      return false;
    default:
      return undefined;
  }
}

/**
 * How a field is written in a job file: an attribute, a block, a repeated block, the label of its block, a map that is a
 * block or an attribute (`meta = { … }`), or a free-form body without a schema (`config`).
 */
export interface HclForm {
  readonly name: string;
  readonly form: 'attribute' | 'block' | 'blocks' | 'label' | 'mapping' | 'free';
  readonly required?: boolean;
}

/** Integers narrower or wider than 53 bits on Nomad's side: decoding refuses what does not fit. */
export type IntegerType = 'int8' | 'uint8' | 'uint16' | 'uint32' | 'int64' | 'uint64';

export interface FieldOptions {
  readonly hcl?: HclForm;
  readonly visibility?: Visibility;
  /** The value in the canonical form where the input has none; context-dependent defaults stand in `canonical`. */
  readonly fallback?: unknown;
  /** An empty list or map becomes null in the canonical form. */
  readonly emptyIsNull?: boolean;
  /** Absent, null and zero differ in the input: a job file may say null, and says null when it does not mention the field. */
  readonly optional?: boolean;
  /** `input`: accepted, never part of the canonical form. `canonical`: never read from or printed for a job file. */
  readonly only?: 'input' | 'canonical';
  readonly bits?: IntegerType;
  /** One line for the reference pages. */
  readonly doc?: string;
}

export interface Field<T, Omitted extends boolean = boolean> extends FieldOptions {
  readonly kind: FieldKind;
  /** null is a legal canonical value. */
  readonly nullable: boolean;
  /** The key is left out of the canonical form when it is zero, empty or null (Go's omitempty). */
  readonly omitted: Omitted;
  readonly item?: Field<unknown>;
  readonly noun?: Noun<FieldTable>;
  /** Never set: carries the type. */
  readonly typed?: T;
}

export type FieldTable = { readonly [key: string]: Field<unknown> };

export interface Noun<F extends FieldTable = FieldTable> {
  readonly name: string;
  readonly fields: F;
}

type ValueOf<X> = X extends Field<infer T> ? T : never;
type OmittedKeys<F extends FieldTable> = { [K in keyof F]: F[K] extends Field<unknown, true> ? K : never }[keyof F];

/** The canonical shape: in memory, on disk and on the wire. */
export type Infer<N extends Noun> = {
  readonly [K in Exclude<keyof N['fields'], OmittedKeys<N['fields']>>]: ValueOf<N['fields'][K]>;
} & { readonly [K in OmittedKeys<N['fields']>]?: ValueOf<N['fields'][K]> };

/** What a caller may send: any field absent or null, all the way down. */
export type Input<T> = T extends readonly (infer I)[]
  ? readonly Input<I>[]
  : T extends object
    ? { readonly [K in keyof T]?: Input<T[K]> | null }
    : T;

function field<T>(kind: FieldKind, options: FieldOptions = {}): Field<T, false> {
  return { kind, nullable: false, omitted: false, ...options };
}

export const string = (options?: FieldOptions): Field<string, false> => field('string', options);
/** An integer of at most 53 bits; decoding refuses others. */
export const int = (options?: FieldOptions): Field<number, false> => field('int', options);
export const float = (options?: FieldOptions): Field<number, false> => field('float', options);
export const bool = (options?: FieldOptions): Field<boolean, false> => field('bool', options);
/** Nanoseconds. */
export const duration = (options?: FieldOptions): Field<number, false> => field('duration', options);
/** RFC 3339 with nanoseconds; the zero time is `0001-01-01T00:00:00Z`. */
export const time = (options?: FieldOptions): Field<string, false> => field('time', options);
/** Base64. */
export const bytes = (options?: FieldOptions): Field<string, false> => field('bytes', options);
/** Free-form JSON; integers beyond 2^53 are bigints. */
export const any = (options?: FieldOptions): Field<unknown, false> => field('any', options);

/** Absent and `null` become the empty list, unless the field is `nullable`. */
export function list<T>(item: Field<T>, options?: FieldOptions): Field<readonly T[], false> {
  return { ...field<readonly T[]>('list', options), item };
}

/** Keys are texts; an item that is `null` becomes the zero of its kind. */
export function map<T>(item: Field<T>, options?: FieldOptions): Field<{ readonly [key: string]: T }, false> {
  return { ...field<{ readonly [key: string]: T }>('map', options), item };
}

/** A row of another noun. */
export function object<F extends FieldTable>(noun: Noun<F>, options?: FieldOptions): Field<Infer<Noun<F>>, false> {
  return { ...field<Infer<Noun<F>>>('object', options), noun };
}

/** `null` is a value of its own, and what an absent one becomes where there is no `fallback`. */
export function nullable<T, O extends boolean>(inner: Field<T, O>): Field<T | null, O> {
  return { ...inner, nullable: true } as Field<T | null, O>;
}

/** Left out of the canonical form where it is empty, as `omitempty` in Go. */
export function omitted<T>(inner: Field<T>): Field<T, true> {
  return { ...inner, omitted: true } as Field<T, true>;
}

/** Accepted from callers, never part of the canonical form (deprecated, or folded into other fields). */
export function inputOnly<T>(inner: Field<T>): Field<T, true> {
  return { ...inner, omitted: true, only: 'input' } as Field<T, true>;
}

/** Part of the canonical form only: set by the server, absent from parsed job files. */
export function canonicalOnly<T, O extends boolean>(inner: Field<T, O>): Field<T, O> {
  return { ...inner, only: 'canonical' };
}

/** `name = value`; a required one is an error where it is missing. */
export const attr = (name: string, options: { required?: boolean } = {}): HclForm => ({
  name,
  form: 'attribute',
  ...options,
});
/** `name { … }`, at most once. */
export const block = (name: string): HclForm => ({ name, form: 'block' });
/** `name { … }`, any number of times: a list. */
export const blocks = (name: string): HclForm => ({ name, form: 'blocks' });
/** The label of the block itself: `"web"` of `group "web" { … }`. */
export const label = (): HclForm => ({ name: '', form: 'label' });
/** `name { a = "b" }` or `name = { a = "b" }`. */
export const mapping = (name: string): HclForm => ({ name, form: 'mapping' });
/** `name { … }` without a schema here: the driver checks it. */
export const free = (name: string): HclForm => ({ name, form: 'free' });

/** `name`: as messages and the type of a diff say it, e.g. `TaskGroup`. */
export function noun<F extends FieldTable>(name: string, fields: F): Noun<F> {
  return { name, fields };
}
