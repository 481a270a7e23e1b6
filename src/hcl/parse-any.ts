import { isUtf16 } from '../lib/utf8-text.ts';
import { errorAt } from './diagnostic.ts';
import { jsonBody } from './json-body.ts';
import { parseJsonText } from './json-parse.ts';
import { type ParsedFile, parseNative } from './parse.ts';

/** True when the first byte that is no blank is `{`: then the text is read as JSON. */
export function looksLikeJson(source: string | Uint8Array): boolean {
  let i = 0;
  if (typeof source === 'string') {
    while (source[i] === ' ') i++;
    return source[i] === '{';
  }
  while (source[i] === 32) i++;
  return source[i] === 123;
}

/** Reads a file in the JSON syntax. */
export function parseJson(source: string | Uint8Array, filename: string): ParsedFile {
  if (typeof source !== 'string' && isUtf16(source)) return parseNative(source, filename);
  const { source: file, root, diagnostics } = parseJsonText(source, filename);
  const problems = [...diagnostics];
  if (root.kind !== 'object' && root.kind !== 'array') {
    problems.push(errorAt(root.range, 'Root value must be object', 'the file must hold one JSON object'));
  }
  return { source: file, body: jsonBody(root), diagnostics: problems, comments: () => [] };
}

/**
 * Reads a file in whichever syntax it is written. Never throws; with errors among the diagnostics the tree holds what
 * could be understood.
 */
export function parse(source: string | Uint8Array, filename: string): ParsedFile {
  return looksLikeJson(source) ? parseJson(source, filename) : parseNative(source, filename);
}
