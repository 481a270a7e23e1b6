import { append } from '../lib/append.ts';
import { bodyContent } from './body-content.ts';
import { type EvalContext, findBudget } from './context.ts';
import { convert } from './convert.ts';
import { type Diagnostic, errorAt } from './diagnostic.ts';
import { evaluate } from './evaluate.ts';
import { jsonContent } from './json-body.ts';
import type { BodyContent, BodySchema } from './schema.ts';
import { suggestion } from './suggest.ts';
import { type Attribute, type Block, type Body, type Expression, unwrapScope } from './syntax.ts';
import { stringType, typeName } from './type.ts';
import { asString, canIterate, elements, isMapping, isSequence, objectValue, type Value } from './value.ts';

export interface DynamicOptions {
  /** How many labels a block type has; without it, or for unknown types, any number is taken. */
  readonly labelCount?: (type: string) => number | undefined;
}

/**
 * The body with its own `dynamic` blocks replaced by the blocks they make. One level only: call it again for the body
 * of each block that may hold dynamic blocks. Expressions inside made blocks see the iterator whatever context they
 * are evaluated in. A JSON body is only rewritten by `content` of it: pass it through `bodyContent` with a schema that
 * has `dynamic`, and put its blocks into a body first.
 */
export function expandDynamic(
  body: Body,
  context: EvalContext,
  options: DynamicOptions = {},
): { body: Body; diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  if (!body.blocks.some((block) => block.type === 'dynamic')) return { body, diagnostics };
  const blocks: Block[] = [];
  for (const block of body.blocks) {
    if (block.type === 'dynamic') append(blocks, expandBlock(block, context, options, diagnostics));
    else blocks.push(block);
  }
  return { body: { ...plainBody(body), blocks }, diagnostics };
}

/** `labels` is required for blocks that are known to have some, and refused for those without. */
const dynamicSchema = (labelCount: number | undefined): BodySchema => ({
  attributes: [
    { name: 'for_each', required: true },
    { name: 'iterator' },
    ...(labelCount === 0 ? [] : [{ name: 'labels', required: labelCount !== undefined }]),
  ],
  blocks: [{ type: 'content' }],
});

interface Spec {
  readonly block: Block;
  readonly type: string;
  readonly iterator: string;
  readonly labels: readonly Expression[];
  readonly content: Body;
}

function expandBlock(block: Block, context: EvalContext, options: DynamicOptions, diagnostics: Diagnostic[]): Block[] {
  const type = block.labels[0];
  if (type === undefined || block.labels.length > 1) {
    const range = block.labelRanges[1] ?? block.openBraceRange;
    diagnostics.push(
      errorAt(range, 'Invalid dynamic block', 'a dynamic block has one label: the type of the blocks it makes'),
    );
    return [];
  }
  const content = specContent(block.body, options.labelCount?.(type), diagnostics);
  if (content === undefined) return [];
  const iterator = iteratorName(content.attributes.get('iterator'), type, diagnostics);
  const each = content.attributes.get('for_each')!;
  const collection = evaluate(each.expr, context);
  append(diagnostics, collection.diagnostics);
  if (
    iterator === undefined ||
    collection.diagnostics.length > 0 ||
    !checkCollection(collection.value, each, diagnostics)
  )
    return [];
  const labels = labelExpressions(content.attributes.get('labels'), type, options.labelCount?.(type), diagnostics);
  const [first, second] = content.blocks;
  if (labels === undefined) return [];
  if (first === undefined) {
    diagnostics.push(
      errorAt(
        block.body.missingItemRange,
        'Missing dynamic content block',
        'a dynamic block needs a block "content" for what it makes',
      ),
    );
    return [];
  }
  if (second !== undefined) {
    diagnostics.push(
      errorAt(second.headerRange, 'Extraneous dynamic content block', 'a dynamic block has only one block "content"'),
    );
    return [];
  }
  const spec: Spec = { block, type, iterator, labels, content: first.body };
  if (!canIterate(collection.value)) return [];
  // Blocks in blocks multiply: each counts with all that is copied for it, and the limit ends the file.
  const steps = stepsPerBlock * sizeOfBody(first.body);
  const budget = findBudget(context);
  const made = elements(collection.value).map(([key, value]) => {
    budget?.spend(steps);
    return makeBlock(spec, key, value, context, diagnostics);
  });
  return made.filter((item) => item !== undefined);
}

/** A block costs more than a value: it becomes a row of the job. */
const stepsPerBlock = 10;

function sizeOfBody(body: Body): number {
  return body.blocks.reduce((size, block) => size + sizeOfBody(block.body), 1 + body.attributes.size);
}

interface SpecContent {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
}

function specContent(body: Body, labelCount: number | undefined, diagnostics: Diagnostic[]): SpecContent | undefined {
  const schema = dynamicSchema(labelCount);
  if (body.json !== undefined) {
    const content = jsonContent(body, schema);
    append(diagnostics, content.diagnostics);
    return content.diagnostics.length > 0 ? undefined : content;
  }
  const before = diagnostics.length;
  const names = new Set(schema.attributes.map((item) => item.name));
  for (const attribute of body.attributes.values()) {
    if (names.has(attribute.name)) continue;
    diagnostics.push(
      errorAt(attribute.nameRange, 'Unsupported argument', `a dynamic block has no argument "${attribute.name}"`),
    );
  }
  for (const block of body.blocks) {
    if (block.type !== 'content') {
      diagnostics.push(
        errorAt(
          block.typeRange,
          'Unsupported block type',
          `a dynamic block has no block "${block.type}" outside of "content"`,
        ),
      );
    } else if (block.labels.length > 0) {
      diagnostics.push(
        errorAt(
          block.labelRanges[0]!,
          'Extraneous label for content',
          'the block "content" has no labels; use "labels = [...]"',
        ),
      );
    }
  }
  for (const { name, required } of schema.attributes) {
    if (required !== true || body.attributes.has(name)) continue;
    diagnostics.push(
      errorAt(body.missingItemRange, 'Missing required argument', `the argument ${JSON.stringify(name)} is required`),
    );
  }
  return diagnostics.length > before ? undefined : body;
}

function iteratorName(attribute: Attribute | undefined, type: string, diagnostics: Diagnostic[]): string | undefined {
  if (attribute === undefined) return type;
  const expr = unwrapScope(attribute.expr);
  if (expr.kind === 'json' && expr.node.kind === 'string') return expr.node.value;
  if (expr.kind === 'variable' && expr.steps.length === 0) return expr.name;
  diagnostics.push(errorAt(expr.range, 'Invalid dynamic iterator name', 'the iterator must be a plain name'));
  return undefined;
}

function checkCollection(value: Value, each: Attribute, diagnostics: Diagnostic[]): boolean {
  const summary = 'Invalid dynamic for_each value';
  if (value.type.kind !== 'dynamic' && !isSequence(value.type) && !isMapping(value.type)) {
    diagnostics.push(
      errorAt(each.expr.range, summary, `a ${typeName(value.type)} cannot be gone through; a collection is required`),
    );
    return false;
  }
  if (value.state === 'null') {
    diagnostics.push(errorAt(each.expr.range, summary, 'null cannot be gone through; a collection is required'));
    return false;
  }
  return true;
}

function labelExpressions(
  attribute: Attribute | undefined,
  type: string,
  count: number | undefined,
  diagnostics: Diagnostic[],
): readonly Expression[] | undefined {
  if (attribute === undefined) return [];
  const labels = listOf(attribute.expr);
  if (labels === undefined) {
    diagnostics.push(errorAt(attribute.expr.range, 'Invalid expression', 'a list of labels in brackets is required'));
    return undefined;
  }
  if (count === undefined || labels.length === count) return labels;
  const extra = labels[count];
  const summary = extra === undefined ? 'Insufficient dynamic block labels' : 'Extraneous dynamic block label';
  diagnostics.push(
    errorAt(extra?.range ?? attribute.expr.range, summary, `blocks of type "${type}" have ${count} label(s)`),
  );
  return undefined;
}

function listOf(given: Expression): readonly Expression[] | undefined {
  if (given.kind === 'scoped') {
    return listOf(given.inner)?.map((inner) => ({ ...given, inner, range: inner.range }));
  }
  if (given.kind === 'tuple') return given.items;
  if (given.kind !== 'json' || given.node.kind !== 'array') return undefined;
  return given.node.items.map((node) => ({ kind: 'json', node, range: node.range }));
}

function makeBlock(
  spec: Spec,
  key: Value,
  value: Value,
  context: EvalContext,
  diagnostics: Diagnostic[],
): Block | undefined {
  const entry = objectValue(
    new Map([
      ['key', key],
      ['value', value],
    ]),
  );
  const variables = new Map([[spec.iterator, entry]]);
  const labels: string[] = [];
  for (const expr of spec.labels) {
    const label = labelText(withScope(expr, variables), context, diagnostics);
    if (label === undefined) return undefined;
    labels.push(label);
  }
  return {
    ...plainBlock(spec.block),
    type: spec.type,
    typeRange: spec.block.labelRanges[0]!,
    labels,
    labelRanges: spec.labels.map((expr) => expr.range),
    body: scopeBody(spec.content, variables),
  };
}

function labelText(expr: Expression, context: EvalContext, diagnostics: Diagnostic[]): string | undefined {
  const result = evaluate(expr, context);
  append(diagnostics, result.diagnostics);
  if (result.diagnostics.length > 0) return undefined;
  const label = convert(result.value, stringType);
  if (label.error === undefined && label.value.state === 'known') return asString(label.value);
  const reason = label.error ?? (label.value.state === 'null' ? 'it is null' : 'its value is not known yet');
  diagnostics.push(errorAt(expr.range, 'Invalid dynamic block label', `this cannot be a label: ${reason}`));
  return undefined;
}

/** Copies whose ranges are values, so that they can be spread. */
const plainBody = ({ attributes, blocks, range, missingItemRange, json, scope }: Body): Body => ({
  attributes,
  blocks,
  range,
  missingItemRange,
  json,
  scope,
});

const plainBlock = (block: Block): Block => {
  const { type, labels, body, typeRange, labelRanges, openBraceRange, closeBraceRange, headerRange, range } = block;
  return { type, labels, body, typeRange, labelRanges, openBraceRange, closeBraceRange, headerRange, range };
};

/** The body with an iterator's names in front of all others, in every expression at any depth. */
export function scopeBody(body: Body, variables: ReadonlyMap<string, Value>): Body {
  if (body.json !== undefined) return { ...plainBody(body), scope: new Map([...(body.scope ?? []), ...variables]) };
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of body.attributes) {
    const { range, nameRange } = attribute;
    attributes.set(name, { name, expr: withScope(attribute.expr, variables), range, nameRange });
  }
  const blocks = body.blocks.map((block) => ({ ...plainBlock(block), body: scopeBody(block.body, variables) }));
  return { ...plainBody(body), attributes, blocks };
}

/** Names of an inner block hide those of an outer one. */
function withScope(expr: Expression, variables: ReadonlyMap<string, Value>): Expression {
  if (expr.kind !== 'scoped') return { kind: 'scoped', inner: expr, variables, range: expr.range };
  return { ...expr, variables: new Map([...expr.variables, ...variables]) };
}

const widened = new WeakMap<BodySchema, BodySchema>();

function schemaWithDynamic(schema: BodySchema): BodySchema {
  let wide = widened.get(schema);
  if (wide === undefined) {
    wide = { ...schema, blocks: [...schema.blocks, { type: 'dynamic', labelNames: ['type'] }] };
    widened.set(schema, wide);
  }
  return wide;
}

/**
 * Attributes and blocks of a body by a schema, in either syntax, with `dynamic` blocks replaced by what they make. The
 * bodies of the blocks are as they are written: call this again for each that may hold dynamic blocks.
 */
export function expandedContent(body: Body, schema: BodySchema, context: EvalContext): BodyContent {
  const content = bodyContent(body, schemaWithDynamic(schema));
  if (!content.blocks.some((block) => block.type === 'dynamic')) return content;
  const counts = new Map(schema.blocks.map((item) => [item.type, item.labelNames?.length ?? 0]));
  const diagnostics = [...content.diagnostics];
  const blocks: Block[] = [];
  for (const block of content.blocks) {
    if (block.type !== 'dynamic') blocks.push(block);
    else if (counts.has(block.labels[0]!)) {
      append(blocks, expandBlock(block, context, { labelCount: (type) => counts.get(type) }, diagnostics));
    } else {
      const detail = `blocks of type "${block.labels[0]}" are not expected here.${suggestion(block.labels[0]!, counts.keys())}`;
      diagnostics.push(errorAt(block.labelRanges[0]!, 'Unsupported block type', detail));
    }
  }
  const { attributes, missingItemRange } = content;
  return { attributes, blocks, missingItemRange, diagnostics };
}
