import { append } from '../lib/append.ts';
import { type Diagnostic, errorAt } from './diagnostic.ts';
import { jsonExpression } from './json-value.ts';
import type { BodyContent, BodySchema } from './schema.ts';
import type { SourceRange } from './source.ts';
import { suggestion } from './suggest.ts';
import type { Attribute, Block, Body, Expression, JsonNode, JsonProperty } from './syntax.ts';

type Scope = Body['scope'];

/** A body that a JSON value stands for: an object, or a list of objects that count as one. */
export function jsonBody(node: JsonNode, scope?: Scope): Body {
  const end = node.kind === 'object' ? node.closeRange : node.range;
  return { attributes: new Map(), blocks: [], range: node.range, missingItemRange: end.atStart(), json: node, scope };
}

/** All properties of an object or of a list of objects; null has none, anything else is a problem. */
function propertiesOf(node: JsonNode, what: string, diagnostics: Diagnostic[]): JsonProperty[] {
  if (node.kind === 'object') return [...node.properties];
  if (node.kind === 'array') {
    const found: JsonProperty[] = [];
    for (const item of node.items) {
      if (item.kind === 'object') append(found, item.properties);
      else diagnostics.push(errorAt(item.range, 'Incorrect JSON value type', `an object is required here, ${what}`));
    }
    return found;
  }
  if (node.kind !== 'invalid' && node.kind !== 'null') {
    diagnostics.push(
      errorAt(node.range, 'Incorrect JSON value type', `an object or a list of objects is required here, ${what}`),
    );
  }
  return [];
}

const scoped = (node: JsonNode, scope: Scope): Expression => {
  const inner = jsonExpression(node);
  return scope === undefined ? inner : { kind: 'scoped', inner, variables: scope, range: inner.range };
};

const toAttribute = (property: JsonProperty, scope: Scope): Attribute => ({
  name: property.name,
  expr: scoped(property.value, scope),
  range: property.nameRange.to(property.value.range),
  nameRange: property.nameRange,
});

/** Every property as an attribute; `"//"` is a comment. */
export function jsonAttributes(body: Body): { attributes: ReadonlyMap<string, Attribute>; diagnostics: Diagnostic[] } {
  const attributes = new Map<string, Attribute>();
  const diagnostics: Diagnostic[] = [];
  const node = body.json!;
  if (node.kind !== 'object') {
    diagnostics.push(
      errorAt(node.range, 'Incorrect JSON value type', 'an object is required here, with the arguments'),
    );
    return { attributes, diagnostics };
  }
  for (const property of node.properties) {
    if (property.name === '//') continue;
    const before = attributes.get(property.name);
    if (before === undefined) attributes.set(property.name, toAttribute(property, body.scope));
    else diagnostics.push(duplicate(property, before.nameRange));
  }
  return { attributes, diagnostics };
}

const duplicate = (property: JsonProperty, before: SourceRange): Diagnostic =>
  errorAt(property.nameRange, 'Duplicate argument', `${JSON.stringify(property.name)} was set already at ${before}`);

/** Attributes and blocks of a JSON body: what a property is follows from the schema. */
export function jsonContent(body: Body, schema: BodySchema): BodyContent {
  const diagnostics: Diagnostic[] = [];
  const attributes = new Map<string, Attribute>();
  const blocks: Block[] = [];
  const attributeNames = new Set(schema.attributes.map((item) => item.name));
  const blockTypes = new Map(schema.blocks.map((item) => [item.type, item.labelNames ?? []]));
  for (const property of propertiesOf(body.json!, 'with arguments and blocks', diagnostics)) {
    const { name } = property;
    const labelNames = blockTypes.get(name);
    if (attributeNames.has(name) && (labelNames === undefined || !attributes.has(name))) {
      const before = attributes.get(name);
      if (before === undefined) attributes.set(name, toAttribute(property, body.scope));
      else diagnostics.push(duplicate(property, before.nameRange));
    } else if (labelNames !== undefined) {
      new BlockReader(property, body.scope, blocks, diagnostics).read(property.value, labelNames, [], []);
    } else if (name !== '//') {
      const elsewhere = schema.elsewhere?.(name);
      const hint =
        elsewhere === undefined ? suggestion(name, [...attributeNames, ...blockTypes.keys()]) : ` ${elsewhere}`;
      diagnostics.push(
        errorAt(
          property.nameRange,
          'Extraneous JSON object property',
          `no argument or block is named ${JSON.stringify(name)}.${hint}`,
        ),
      );
    }
  }
  for (const { name, required } of schema.attributes) {
    if (required !== true || attributes.has(name)) continue;
    diagnostics.push(
      errorAt(body.missingItemRange, 'Missing required argument', `the argument ${JSON.stringify(name)} is required`),
    );
  }
  return { attributes, blocks, missingItemRange: body.missingItemRange, diagnostics };
}

/** Reads the blocks that one property stands for: one nested object per label, then an object or a list of them. */
class BlockReader {
  readonly #property: JsonProperty;
  readonly #scope: Scope;
  readonly #blocks: Block[];
  readonly #diagnostics: Diagnostic[];

  constructor(property: JsonProperty, scope: Scope, blocks: Block[], diagnostics: Diagnostic[]) {
    this.#property = property;
    this.#scope = scope;
    this.#blocks = blocks;
    this.#diagnostics = diagnostics;
  }

  read(node: JsonNode, labelNames: readonly string[], labels: readonly string[], ranges: readonly SourceRange[]): void {
    if (labelNames.length > 0) {
      const [first, ...rest] = labelNames;
      const what = `with the "${first}" of each "${this.#property.name}" as its property names`;
      const properties = propertiesOf(node, what, this.#diagnostics);
      if (properties.length === 0) {
        const detail = `no property is here whose name is the "${first}" of "${this.#property.name}"`;
        this.#diagnostics.push(errorAt(node.range, 'Missing block label', detail));
      }
      for (const property of properties) {
        this.read(property.value, rest, [...labels, property.name], [...ranges, property.nameRange]);
      }
    } else if (node.kind === 'array') {
      for (const item of node.items) this.#block(item, labels, ranges);
    } else if (node.kind === 'object') this.#block(node, labels, ranges);
    // before anybody reads it: nobody may want these blocks
    else propertiesOf(node, `with what a "${this.#property.name}" block has`, this.#diagnostics);
  }

  #block(node: JsonNode, labels: readonly string[], labelRanges: readonly SourceRange[]): void {
    if (node.kind === 'invalid') return;
    const typeRange = this.#property.nameRange;
    const open = node.kind === 'object' || node.kind === 'array' ? node.openRange : node.range;
    this.#blocks.push({
      type: this.#property.name,
      labels,
      body: jsonBody(node, this.#scope),
      typeRange,
      labelRanges,
      openBraceRange: open,
      closeBraceRange: node.kind === 'object' ? node.closeRange : node.range,
      headerRange: open,
      range: typeRange.to(node.range),
    });
  }
}
