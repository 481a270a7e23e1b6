import { parseDuration } from '../lib/duration.ts';
import { Fault } from '../lib/fault.ts';

/** What Go's strconv.ParseBool takes. */
const booleans: { readonly [text: string]: boolean } = {
  '1': true,
  t: true,
  T: true,
  TRUE: true,
  true: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  FALSE: false,
  false: false,
  False: false,
};

/** `1 t T true TRUE True` and their opposites, as Go reads them; undefined: neither. */
export function parseGoBool(text: string): boolean | undefined {
  return Object.hasOwn(booleans, text) ? booleans[text] : undefined;
}

function badBoolean(text: string): string {
  return `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
}

/** The query of a request, read with Nomad's rules and error texts. */
export class QueryParameters {
  readonly #values: URLSearchParams;

  constructor(search: string) {
    this.#values = new URLSearchParams(search);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** `""` where absent. */
  text(name: string): string {
    return this.#values.get(name) ?? '';
  }

  all(name: string): readonly string[] {
    return this.#values.getAll(name);
  }

  /** Absent or empty: the default. A bad one is a 500, as the reference answers. */
  boolean(name: string, fallback = false): boolean {
    const text = this.text(name);
    if (text === '') return fallback;
    const value = parseGoBool(text);
    if (value !== undefined) return value;
    throw new Fault('invalid', `Failed to parse value of "${name}" (${text}) as a bool: ${badBoolean(text)}`, {
      status: 500,
    });
  }

  /** As `boolean`, but a bad one is a 400 with the text given before Go's. */
  booleanOr400(name: string, fallback: boolean, before: string): boolean {
    const text = this.text(name);
    if (text === '') return fallback;
    const value = parseGoBool(text);
    if (value === undefined) throw new Fault('invalid', `${before}${badBoolean(text)}`);
    return value;
  }

  /** A bad one is a 400 with the message given. */
  integer(name: string, fallback: number, message: string): number {
    const text = this.text(name);
    if (text === '') return fallback;
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value)) throw new Fault('invalid', message);
    return value;
  }
}

export interface BlockingOptions {
  /** 0: do not wait. */
  readonly index: number;
  readonly waitMs: number;
}

const maximumWaitMs = 300_000;

/**
 * `index` and `wait` of a query. Default wait: the longest there is, 5 minutes. `Fault('invalid')` with the text that Nomad's clients
 * show.
 */
export function blockingOptions(query: QueryParameters): BlockingOptions {
  const index = query.text('index');
  if (index !== '' && !(/^\d+$/.test(index) && Number.isSafeInteger(Number(index))))
    throw new Fault('invalid', 'Invalid index');
  const wait = query.text('wait');
  const nanoseconds = wait === '' ? 0 : parseDuration(wait);
  if (nanoseconds === undefined) throw new Fault('invalid', 'Invalid wait time');
  const waitMs = nanoseconds <= 0 ? maximumWaitMs : Math.min(nanoseconds / 1e6, maximumWaitMs);
  return { index: Number(index), waitMs };
}

/** Every server here answers from the leader's own state; the flag is checked all the same. */
export function checkStale(query: QueryParameters): void {
  const text = query.text('stale');
  if (text !== '' && parseGoBool(text) === undefined)
    throw new Fault('invalid', 'Expect `true` or `false` for `stale` query string parameter');
}

export interface PageOptions {
  /** 0: all. Negative: none, only the token of the first. */
  readonly perPage: number;
  /** The row to begin with; `""`: the first. */
  readonly nextToken: string;
  readonly reverse: boolean;
  readonly filter: string;
  readonly prefix: string;
}

/** `per_page` (0: all), `next_token`, `reverse`, `filter`, `prefix`; `""` for what was not given. */
export function pageOptions(query: QueryParameters): PageOptions {
  return {
    perPage: query.integer('per_page', 0, 'Expect a number for `per_page` query string parameter'),
    nextToken: query.text('next_token'),
    reverse: query.text('reverse') === 'true',
    filter: query.text('filter'),
    prefix: query.text('prefix'),
  };
}
