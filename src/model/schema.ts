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

/** How a field is written in a job file, where it is: an attribute, a block, a repeated block, or a block's label. */
export interface HclForm {
  readonly name: string;
  readonly form: 'attribute' | 'block' | 'blocks' | 'label';
  readonly required?: boolean;
}

export interface FieldOptions {
  readonly hcl?: HclForm;
  readonly visibility?: Visibility;
  /** The value in the canonical form where the input has none; context-dependent defaults stand in `canonical`. */
  readonly fallback?: unknown;
  /** One line for the reference pages. */
  readonly doc?: string;
}

export interface Field<T, Omitted extends boolean = boolean> extends FieldOptions {
  readonly kind: FieldKind;
  /** null is a legal canonical value. */
  readonly nullable: boolean;
  /** The key is left out when it is undefined (Go's omitempty). */
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

export function list<T>(item: Field<T>, options?: FieldOptions): Field<readonly T[], false> {
  return { ...field<readonly T[]>('list', options), item };
}

export function map<T>(item: Field<T>, options?: FieldOptions): Field<{ readonly [key: string]: T }, false> {
  return { ...field<{ readonly [key: string]: T }>('map', options), item };
}

export function object<F extends FieldTable>(noun: Noun<F>, options?: FieldOptions): Field<Infer<Noun<F>>, false> {
  return { ...field<Infer<Noun<F>>>('object', options), noun };
}

export function nullable<T, O extends boolean>(inner: Field<T, O>): Field<T | null, O> {
  return { ...inner, nullable: true } as Field<T | null, O>;
}

export function omitted<T>(inner: Field<T>): Field<T, true> {
  return { ...inner, omitted: true } as Field<T, true>;
}

export function noun<F extends FieldTable>(name: string, fields: F): Noun<F> {
  return { name, fields };
}
