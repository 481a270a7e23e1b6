import { type Diagnostic, errorAt } from './diagnostic.ts';
import { jsonAttributes, jsonContent } from './json-body.ts';
import type { BodyContent, BodySchema } from './schema.ts';
import type { SourceRange } from './source.ts';
import { suggestion } from './suggest.ts';
import type { Attribute, Block, Body } from './syntax.ts';

/**
 * The attributes and blocks of a body that a schema names, and problems for the rest. A JSON body is understood by the
 * schema; a native one is only checked against it.
 */
export function bodyContent(body: Body, schema: BodySchema): BodyContent {
  return body.json === undefined ? nativeContent(body, schema) : jsonContent(body, schema);
}

/** All attributes of a body that may hold nothing else; blocks in it are reported. */
export function justAttributes(body: Body): { attributes: ReadonlyMap<string, Attribute>; diagnostics: Diagnostic[] } {
  if (body.json !== undefined) return jsonAttributes(body);
  const first = body.blocks[0];
  const diagnostics: Diagnostic[] = [];
  if (first !== undefined) {
    diagnostics.push(
      errorAt(first.typeRange, `Unexpected "${first.type}" block`, 'blocks are not allowed here, only arguments'),
    );
  }
  return { attributes: body.attributes, diagnostics };
}

interface SchemaIndex {
  readonly attributeNames: ReadonlySet<string>;
  readonly required: readonly string[];
  readonly blockTypes: ReadonlyMap<string, BodySchema['blocks'][number]>;
}

const indexes = new WeakMap<BodySchema, SchemaIndex>();

/** Made once per schema: a file has thousands of blocks of a few schemas. */
function indexOfSchema(schema: BodySchema): SchemaIndex {
  let index = indexes.get(schema);
  if (index === undefined) {
    index = {
      attributeNames: new Set(schema.attributes.map((item) => item.name)),
      required: schema.attributes.filter((item) => item.required === true).map((item) => item.name),
      blockTypes: new Map(schema.blocks.map((item) => [item.type, item])),
    };
    indexes.set(schema, index);
  }
  return index;
}

/** All of a body; the place of what is missing is made when somebody asks for it. */
class WholeContent implements BodyContent {
  readonly #body: Body;
  readonly diagnostics: readonly Diagnostic[];

  constructor(body: Body, diagnostics: readonly Diagnostic[]) {
    this.#body = body;
    this.diagnostics = diagnostics;
  }

  get attributes(): ReadonlyMap<string, Attribute> {
    return this.#body.attributes;
  }

  get blocks(): readonly Block[] {
    return this.#body.blocks;
  }

  get missingItemRange(): SourceRange {
    return this.#body.missingItemRange;
  }
}

function nativeContent(body: Body, schema: BodySchema): BodyContent {
  const diagnostics: Diagnostic[] = [];
  const { attributeNames, required, blockTypes } = indexOfSchema(schema);
  for (const name of required) {
    if (!body.attributes.has(name))
      diagnostics.push(
        errorAt(body.missingItemRange, 'Missing required argument', `the argument ${JSON.stringify(name)} is required`),
      );
  }
  const before = diagnostics.length;
  for (const block of body.blocks) {
    const wanted = blockTypes.get(block.type);
    const problem =
      wanted === undefined
        ? unknownBlock(block, attributeNames, blockTypes.keys(), schema)
        : checkLabels(block, wanted.labelNames ?? []);
    if (problem !== undefined) diagnostics.push(problem);
  }
  for (const attribute of body.attributes.values()) {
    if (!attributeNames.has(attribute.name))
      diagnostics.push(unknownAttribute(attribute, attributeNames, blockTypes, schema));
  }
  // Nearly always all is as the schema wants it, and nothing has to be copied.
  if (diagnostics.length === before) return new WholeContent(body, diagnostics);
  return {
    attributes: new Map([...body.attributes].filter(([name]) => attributeNames.has(name))),
    blocks: body.blocks.filter((block) => {
      const wanted = blockTypes.get(block.type);
      return wanted !== undefined && checkLabels(block, wanted.labelNames ?? []) === undefined;
    }),
    missingItemRange: body.missingItemRange,
    diagnostics,
  };
}

/** A name that exactly fits another place is more likely meant than one that nearly fits this. */
function hintFor(name: string, known: Iterable<string>, schema: BodySchema): string {
  const elsewhere = schema.elsewhere?.(name);
  return elsewhere === undefined ? suggestion(name, known) : ` ${elsewhere}`;
}

function unknownBlock(
  block: Block,
  attributes: ReadonlySet<string>,
  types: Iterable<string>,
  schema: BodySchema,
): Diagnostic {
  let hint = hintFor(block.type, types, schema);
  if (attributes.has(block.type)) hint = ` To set the argument "${block.type}" write "=" before its value.`;
  return errorAt(
    block.typeRange,
    'Unsupported block type',
    `blocks of type "${block.type}" are not expected here.${hint}`,
  );
}

function unknownAttribute(
  attribute: Attribute,
  names: Iterable<string>,
  types: ReadonlyMap<string, unknown>,
  schema: BodySchema,
): Diagnostic {
  let hint = hintFor(attribute.name, names, schema);
  if (types.has(attribute.name)) hint = ` Did you mean a block? Then leave the "=" away.`;
  return errorAt(
    attribute.nameRange,
    'Unsupported argument',
    `An argument named "${attribute.name}" is not expected here.${hint}`,
  );
}

/** The problem of a block with too many or too few labels. */
export function checkLabels(block: Block, labelNames: readonly string[]): Diagnostic | undefined {
  if (block.labels.length > labelNames.length) {
    const extra = block.labelRanges[labelNames.length] ?? block.headerRange;
    const names =
      labelNames.length === 0
        ? 'no labels'
        : labelNames.length === 1
          ? `only one label, the ${labelNames[0]}`
          : `only ${labelNames.length} labels: ${labelNames.join(', ')}`;
    return errorAt(extra, `Extraneous label for ${block.type}`, `blocks of type "${block.type}" have ${names}`);
  }
  if (block.labels.length === labelNames.length) return undefined;
  const missing = labelNames[block.labels.length]!;
  return errorAt(
    block.openBraceRange,
    `Missing ${missing} for ${block.type}`,
    labelNames.length === 1
      ? `a block of type "${block.type}" has a ${missing} in quotes before its brace: ${block.type} "${missing}" {`
      : `blocks of type "${block.type}" need ${labelNames.length} labels: ${labelNames.join(', ')}`,
  );
}
