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
  // browsers take a backslash for a slash: `/\\host` would be another host
  return [`/${kept.join('/')}${trailing}`.replaceAll('\\', '%5C'), ...query].join('?');
}

/** Go's texts for bodies that are no JSON stand in errors that tools show. */
export function bodyJson(request: ApiRequest): Json {
  const text = request.body.toString('utf8');
  if (text.trim() === '') throw new Fault('invalid', 'Request body is empty');
  if (isNestedDeeper(text, maximumNesting))
    throw new Fault('invalid', `the request body is nested deeper than ${maximumNesting} levels`);
  try {
    return parseJson(text);
  } catch (error) {
    throw new Fault('invalid', goSyntaxError(text) ?? (error as Error).message, { cause: error });
  }
}

const maximumNesting = 500;

/** What is nested without end is read by JSON.parse, but nothing after it could walk through it. */
function isNestedDeeper(text: string, levels: number): boolean {
  if (text.length < levels) return false;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === quote) quoted = !quoted;
    else if (quoted) at += char === backslash ? 1 : 0;
    else if (char === bracket || char === brace) {
      if (++depth > levels) return true;
    } else if (char === bracket + 2 || char === brace + 2) depth--;
  }
  return false;
}

const [quote, backslash, bracket, brace] = [0x22, 0x5c, 0x5b, 0x7b];

/** The two messages of Go's decoder that matter: a body cut short, and one that is no JSON at all. */
function goSyntaxError(text: string): string | undefined {
  // the pattern's time and depth grow with the text; whoever reads the message sent little
  if (text.length > 10_000) return undefined;
  const trimmed = text.trim();
  if (/^[{[]([^"]|"([^"\\]|\\.)*")*[:,{[]?$/.test(trimmed) && !/[}\]]$/.test(trimmed)) return goUnexpected(trimmed);
  return undefined;
}

function goUnexpected(text: string): string {
  const bad = /^\{\s*([^"}\s])/.exec(text);
  return bad === null ? 'unexpected EOF' : `invalid character '${bad[1]}' looking for beginning of object key string`;
}
