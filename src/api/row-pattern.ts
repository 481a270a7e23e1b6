/** `matches` in filters: a caller's pattern over many rows must not be able to stall the agent. */
import { FunctionError } from '../hcl/functions/function.ts';
import { compileRegex, RegexRunner } from '../hcl/functions/regex-run.ts';
import { LimitError } from '../hcl/limits.ts';
import { Fault } from '../lib/fault.ts';
import { parseGoRegexp } from '../lib/go-regexp.ts';

/** Faults: `invalid` for a pattern that Go could not read either, or one that takes too long on a row. */
export function rowPattern(text: string): (value: string) => boolean {
  const broken = (cause?: unknown) =>
    new Fault('invalid', `error parsing regexp: ${JSON.stringify(text)}`, cause === undefined ? {} : { cause });
  // at most one repetition: the engine's own backtracking cannot explode
  if ((text.match(/[*+{]/g) ?? []).length <= 1) {
    const pattern = parseGoRegexp(text);
    if (pattern === undefined) throw broken();
    return (value) => pattern.test(value);
  }
  try {
    const compiled = compileRegex(text);
    return (value) => limited(text, () => new RegexRunner(compiled, [...value]).find(0) !== undefined);
  } catch (error) {
    if (error instanceof FunctionError || error instanceof LimitError) throw broken(error);
    throw error;
  }
}

function limited(text: string, run: () => boolean): boolean {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    throw new Fault('invalid', `the pattern ${JSON.stringify(text)} takes too long`);
  }
}
