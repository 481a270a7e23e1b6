/** From the options in a job's (or an operator's) JSON to what a plugin is sent: specification, templates, conversions, MessagePack. */
import { type Diagnostic, hasErrors, isWhollyKnown, LimitError, parseJson, type Value } from '../hcl/index.ts';
import { formatJson } from '../lib/json.ts';
import { ctyMsgpack } from './cty-msgpack.ts';
import { decodeBody } from './spec-decode.ts';
import { specFunctions } from './spec-functions.ts';
import type { SpecNode } from './spec-tree.ts';

export type ChainResult =
  | { readonly ok: true; readonly value: Value; readonly msgpack: Uint8Array }
  | { readonly ok: false; readonly problems: readonly string[]; readonly diagnostics: readonly Diagnostic[] };

/**
 * Every text and name in `config` is a template once more; `variables`: what it may use, null: nothing (an operator's options).
 * All problems at once, one clause each: `Missing required argument: The argument "image" is required, …`.
 */
export function decodeThroughSpec(
  config: unknown,
  spec: SpecNode,
  variables: ReadonlyMap<string, Value> | null,
): ChainResult {
  const parsed = parseJson(formatJson(config ?? {}), '');
  if (hasErrors(parsed.diagnostics)) return refused(parsed.diagnostics);
  const context = { functions: specFunctions, ...(variables === null ? {} : { variables }) };
  const { value, diagnostics } = decodeBody(parsed.body, spec, context);
  if (hasErrors(diagnostics)) return refused(diagnostics);
  if (!isWhollyKnown(value)) return { ok: false, problems: ['a part of the options is not known'], diagnostics: [] };
  try {
    return { ok: true, value, msgpack: ctyMsgpack(value) };
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    return { ok: false, problems: [`the options have ${error.message}`], diagnostics: [] };
  }
}

function refused(diagnostics: readonly Diagnostic[]): ChainResult {
  const errors = diagnostics.filter((each) => each.severity === 'error');
  return { ok: false, problems: errors.map(({ summary, detail }) => `${summary}: ${detail}`), diagnostics: errors };
}
