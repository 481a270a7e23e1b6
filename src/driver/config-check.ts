/**
 * A task's options before anybody runs it: against the specification that a driver published, with every `${…}` unknown. What cannot be
 * wrong whatever the variables turn out to be passes. Pure.
 */
import { dynamicType, hasErrors, parseJson, unknownValue, type Value } from '../hcl/index.ts';
import { formatJson } from '../lib/json.ts';
import { namesAround } from '../lib/names-around.ts';
import { decodeBody } from './spec-decode.ts';
import { specFunctions } from './spec-functions.ts';
import type { SpecNode } from './spec-tree.ts';

export interface ConfigProblem {
  /** Names of blocks and attributes on the way to it: `['mount', 'target']`; empty: the options as a whole. */
  readonly path: readonly string[];
  readonly summary: string;
  /** With the nearest name, where one is near: `No argument … is named "comand". Did you mean "command"?` */
  readonly detail: string;
}

export function checkConfig(config: unknown, spec: SpecNode): readonly ConfigProblem[] {
  const text = formatJson(config ?? {}, 1);
  const parsed = parseJson(text, '');
  const diagnostics = hasErrors(parsed.diagnostics)
    ? parsed.diagnostics
    : decodeBody(parsed.body, spec, { functions: specFunctions, variables: new AnyVariable() }).diagnostics;
  const lines = text.split('\n');
  return diagnostics
    .filter(({ severity }) => severity === 'error')
    .map(({ summary, detail, subject }) => ({ path: namesAround(lines, subject.startLine), summary, detail }));
}

/** Every name is there, and nobody knows yet what it is. */
class AnyVariable extends Map<string, Value> {
  override get(): Value {
    return unknownValue(dynamicType);
  }

  override has(): boolean {
    return true;
  }
}
