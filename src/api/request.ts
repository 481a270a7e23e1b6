import type { IncomingHttpHeaders } from 'node:http';
import { Fault } from '../lib/fault.ts';
import { type Json, parseJson } from '../lib/json.ts';
import type { Caller } from './access.ts';
import { QueryParameters } from './query-parameters.ts';

/** A request as routes see it: path parameters decoded, the body read and limited. */
export interface ApiRequest {
  readonly method: string;
  /** As sent: percent-encoded, with the query. */
  readonly target: string;
  readonly params: { readonly [name: string]: string };
  readonly query: QueryParameters;
  readonly headers: IncomingHttpHeaders;
  /** Of the query; `default` where it names none, `*` for all. */
  readonly namespace: string;
  readonly caller: Caller;
  /** Nobody on the way can read it: over TLS, or from this machine. */
  readonly isPrivate: boolean;
  /** Empty for routes that take none. */
  readonly body: Buffer;
  /** Fires when the caller is gone or the agent stops. */
  readonly signal: AbortSignal;
}

/** The secret of `X-Nomad-Token`, else of `Authorization: Bearer`; `""`: none was sent. */
export function requestToken(headers: IncomingHttpHeaders): string {
  const token = String(headers['x-nomad-token'] ?? '').trim();
  if (token !== '') return token;
  const [scheme = '', bearer = ''] = String(headers.authorization ?? '')
    .trim()
    .split(/\s+/);
  return scheme.toLowerCase() === 'bearer' ? bearer : '';
}

export interface ParsedTarget {
  /** Decoded. */
  readonly path: string;
  readonly query: QueryParameters;
}

/** Faults: `invalid` for a path whose percent-encoding is broken. */
export function parseTarget(target: string): ParsedTarget {
  const mark = target.indexOf('?');
  const raw = mark < 0 ? target : target.slice(0, mark);
  try {
    return { path: decodeURIComponent(raw), query: new QueryParameters(mark < 0 ? '' : target.slice(mark + 1)) };
  } catch {
    throw new Fault('invalid', `the path ${JSON.stringify(raw)} is not valid percent-encoding`);
  }
}

/** `//a/./b/../c` → `/a/c`; undefined where the path is clean already. Dots and slashes that are percent-encoded are names. */
export function cleanedPath(target: string): string | undefined {
  const [raw = '', ...query] = target.split('?');
  if (!/\/\/|\/\.\.?(\/|$)/.test(raw)) return undefined;
  const kept: string[] = [];
  for (const segment of raw.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  const trailing = kept.length > 0 && raw.endsWith('/') ? '/' : '';
  return [`/${kept.join('/')}${trailing}`, ...query].join('?');
}

/** Go's texts for bodies that are no JSON stand in errors that tools show. */
export function bodyJson(request: ApiRequest): Json {
  const text = request.body.toString('utf8');
  if (text.trim() === '') throw new Fault('invalid', 'Request body is empty');
  try {
    return parseJson(text);
  } catch (error) {
    throw new Fault('invalid', goSyntaxError(text) ?? (error as Error).message, { cause: error });
  }
}

/** The two messages of Go's decoder that matter: a body cut short, and one that is no JSON at all. */
function goSyntaxError(text: string): string | undefined {
  const trimmed = text.trim();
  if (/^[{[]([^"]|"([^"\\]|\\.)*")*[:,{[]?$/.test(trimmed) && !/[}\]]$/.test(trimmed)) return goUnexpected(trimmed);
  return undefined;
}

function goUnexpected(text: string): string {
  const bad = /^\{\s*([^"}\s])/.exec(text);
  return bad === null ? 'unexpected EOF' : `invalid character '${bad[1]}' looking for beginning of object key string`;
}
