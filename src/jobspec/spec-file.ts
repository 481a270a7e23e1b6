/** Files of what is not a job: one noun by itself. */

import { type Body, bodyContent, type Diagnostic, errorAt, hasErrors, parse, parseHcl1 } from '../hcl/index.ts';
import { append } from '../lib/append.ts';
import { Namespace } from '../model/namespace.ts';
import { NodePool } from '../model/node-pool.ts';
import type { Input } from '../model/schema.ts';
import { JobDecoder } from './job-decoder.ts';

export interface ParsedSpec<T> {
  /** Null with errors among the diagnostics. */
  readonly value: Input<T> | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** `name = "dev"`, `meta { … }`, … in the older grammar, as Nomad's namespace files are. */
export function parseNamespaceFile(source: string, filename: string): ParsedSpec<Namespace> {
  const { body, diagnostics } = parseHcl1(source, filename);
  return decoded(diagnostics, (decoder) => decoder.noun(Namespace, body));
}

/** `node_pool "gpu" { … }`, exactly one. */
export function parseNodePoolFile(source: string, filename: string): ParsedSpec<NodePool> {
  const { body, diagnostics } = parse(source, filename);
  return decoded(diagnostics, (decoder) => onlyPool(body, decoder));
}

function onlyPool(body: Body, decoder: JobDecoder): object | null {
  const schema = { attributes: [], blocks: [{ type: 'node_pool', labelNames: ['name'] }] };
  const { blocks, diagnostics } = bodyContent(body, schema);
  append(decoder.diagnostics, diagnostics);
  const [first, second] = blocks;
  if (first === undefined) {
    decoder.diagnostics.push(
      errorAt(body.missingItemRange, 'Missing node_pool block', 'the file needs one block "node_pool"'),
    );
    return null;
  }
  if (second !== undefined) {
    const detail = `Only one block of type "node_pool" is allowed. Previous definition was at ${first.headerRange}.`;
    decoder.diagnostics.push(errorAt(second.headerRange, 'Duplicate node_pool block', detail));
  }
  return decoder.noun(NodePool, first.body, first.labels);
}

function decoded<T>(syntax: readonly Diagnostic[], decode: (decoder: JobDecoder) => object | null): ParsedSpec<T> {
  if (hasErrors(syntax)) return { value: null, diagnostics: syntax };
  const decoder = new JobDecoder({});
  const row = decode(decoder);
  const diagnostics = [...syntax, ...decoder.diagnostics];
  return { value: hasErrors(diagnostics) ? null : (row as Input<T> | null), diagnostics };
}
