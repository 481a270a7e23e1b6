import type { Evaluation } from './context.ts';
import { decodeUtf8 } from './source.ts';
import type { VariableExpression } from './syntax.ts';
import { stringValue } from './value.ts';

/** Longest text that the search may put together. */
const maxText = 100_000;

const space = 32;
const open = 123;
const close = 125;

/**
 * Value of a name that only the client knows, like `attr.kernel.name`: its own source text in `${ }`, so that it is
 * interpolated later. Blanks inside the braces are kept.
 *
 * The search for the closing brace goes on over further blanks and braces and takes the text before each of them
 * along: `"${A} }"` becomes `"${A} } }"`. Job files in use depend on what comes out, so it stays.
 */
export function runtimeInterpolation(variable: VariableExpression): Evaluation {
  const { bytes } = variable.buffer;
  const { bufferStart: start, bufferEnd: end } = variable;
  let text = variable.buffer.text(start, end);
  for (let i = end; i < bytes.length && text.length < maxText; i++) {
    if (bytes[i] === close) text += decodeUtf8(bytes.subarray(end, i));
    else if (bytes[i] !== space) break;
  }
  for (let i = start - 1; i >= 0 && text.length < maxText; i--) {
    if (bytes[i] === open) text = decodeUtf8(bytes.subarray(i + 1, start)) + text;
    else if (bytes[i] !== space) break;
  }
  return { value: stringValue(`\${${text}}`), diagnostics: [] };
}
