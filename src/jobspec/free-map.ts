import type { Diagnostic } from '../hcl/index.ts';
import {
  type Attribute,
  asEntries,
  asItems,
  asNumber,
  type Block,
  type Body,
  type EvalContext,
  type Expression,
  echoAt,
  evaluate,
  isInteger,
  isMapping,
  isWhollyKnown,
  justAttributes,
  startRange,
  toFloat,
  truncate,
  unwrapScope,
  type Value,
} from '../hcl/index.ts';
import { append } from '../lib/append.ts';
import { compareText } from '../lib/order.ts';

type Free = { [key: string]: unknown };

/**
 * A body without a schema (`config`, `policy`) as drivers expect it since HCL's first version: blocks are lists of maps, a literal
 * `{…}` right on an attribute is a list of one map, a label is one more level.
 */
export function freeMap(body: Body, context: EvalContext, diagnostics: Diagnostic[]): Free {
  const entries = new Map<string, unknown>();
  const { attributes, blocks } =
    body.json === undefined ? body : { attributes: jsonAttributes(body, diagnostics), blocks: [] };
  for (const attribute of attributes.values()) {
    const value = attributeValue(attribute, context, diagnostics);
    // Null is as good as not written.
    if (value !== undefined && value !== null) entries.set(attribute.name, value);
  }
  for (const [type, same] of groupBlocks(blocks)) {
    entries.set(
      type,
      same.map((block) => labelled(block, 0, context, diagnostics)),
    );
  }
  return Object.fromEntries([...entries].sort(([a], [b]) => compareText(a, b)));
}

function jsonAttributes(body: Body, diagnostics: Diagnostic[]): ReadonlyMap<string, Attribute> {
  const found = justAttributes(body);
  append(diagnostics, found.diagnostics);
  return found.attributes;
}

function groupBlocks(blocks: readonly Block[]): ReadonlyMap<string, readonly Block[]> {
  const groups = new Map<string, Block[]>();
  for (const block of blocks) {
    const group = groups.get(block.type);
    if (group === undefined) groups.set(block.type, [block]);
    else group.push(block);
  }
  return groups;
}

/** `x "a" "b" { … }` → `{ a: [{ b: [{ … }] }] }`; without labels the body itself. */
function labelled(block: Block, depth: number, context: EvalContext, diagnostics: Diagnostic[]): Free {
  const label = block.labels[depth];
  if (label === undefined) return freeMap(block.body, context, diagnostics);
  return { [label]: [labelled(block, depth + 1, context, diagnostics)] };
}

function attributeValue(attribute: Attribute, context: EvalContext, diagnostics: Diagnostic[]): unknown {
  const { value, diagnostics: found } = evaluate(attribute.expr, context);
  append(diagnostics, found);
  if (!isWhollyKnown(value)) {
    if (found.length === 0) return undefined;
    diagnostics.push(
      echoAt(startRange(attribute.expr), 'Unsuitable value type', 'Unsuitable value: value must be known'),
    );
    return undefined;
  }
  const plain = freeValue(value);
  return isObjectLiteral(attribute.expr) && value.state === 'known' ? [plain] : plain;
}

const isObjectLiteral = (expr: Expression): boolean => unwrapScope(expr).kind === 'object';

/** A value as JSON data: whole numbers of 64 bits exactly, others as the nearest float. */
function freeValue(value: Value): unknown {
  if (value.state !== 'known') return null;
  if (value.type.kind === 'number') return number(value);
  if (isMapping(value.type))
    return Object.fromEntries([...asEntries(value)].map(([key, item]) => [key, freeValue(item)]));
  if (Array.isArray(value.data)) return asItems(value).map(freeValue);
  return value.data;
}

function number(value: Value): number | bigint {
  const given = asNumber(value);
  const whole = isInteger(given) ? truncate(given) : undefined;
  if (whole === undefined || whole < -(2n ** 63n) || whole >= 2n ** 63n) return toFloat(given);
  return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole;
}
