import { Job } from '../model/job.ts';
import type { Noun } from '../model/schema.ts';
import { type AttributeShape, type BlockShape, blockShape } from './block-shape.ts';

type Schema = { readonly [key: string]: unknown };

const text: Schema = { type: 'string' };
/** Any value may be an expression in text: `"${var.count}"`. */
const expression: Schema = { type: 'string', pattern: '\\$\\{|%\\{' };

const attributeSchemas: { readonly [kind in AttributeShape['kind']]: Schema } = {
  string: { type: ['string', 'number', 'boolean', 'null'] },
  number: { anyOf: [{ type: ['number', 'null'] }, { type: 'string', pattern: '^[-+0-9.]|\\$\\{|%\\{' }] },
  bool: { anyOf: [{ type: ['boolean', 'null'] }, { enum: ['true', 'false'] }, expression] },
  duration: {
    anyOf: [
      { type: ['number', 'null'] },
      { type: 'string', pattern: '^[-+]?([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$|\\$\\{' },
    ],
    description: 'A duration like 1h30m or 10s, or nanoseconds.',
  },
  strings: {
    anyOf: [{ type: 'array', items: { type: ['string', 'number', 'boolean'] } }, expression, { type: 'null' }],
  },
  map: { anyOf: [{ type: 'object' }, expression, { type: 'null' }] },
  objects: { anyOf: [{ type: 'array' }, expression, { type: 'null' }] },
  any: {},
};

/**
 * A JSON Schema (2020-12) of job files in HCL's JSON syntax, from the field tables: `{"job": {"NAME": {…}}}`. Editors use it to
 * complete and to check; what it cannot say (an exact count of blocks, values that exclude each other) the parser says.
 */
export function jobSchema(): Schema {
  const definitions = new Map<string, Schema>();
  const job = refer(Job, definitions);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Job file in HCL JSON syntax',
    type: 'object',
    required: ['job'],
    additionalProperties: false,
    properties: {
      job: oneOrMore({ type: 'object', minProperties: 1, maxProperties: 1, additionalProperties: oneOrMore(job) }),
      variable: oneOrMore({ type: 'object', additionalProperties: oneOrMore(variableSchema) }),
      variables: oneOrMore({ type: 'object' }),
      locals: oneOrMore({ type: 'object' }),
    },
    $defs: Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** A block may be written once, or as a list. */
const oneOrMore = (body: Schema) => ({ anyOf: [body, { type: 'array', items: body }] });

const variableSchema: Schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    type: text,
    description: text,
    default: {},
    validation: { type: 'object', properties: { condition: text, error_message: text } },
  },
};

function refer(noun: Noun, definitions: Map<string, Schema>): Schema {
  if (!definitions.has(noun.name)) {
    definitions.set(noun.name, {}); // a noun may hold itself
    definitions.set(noun.name, nounSchema(noun, definitions));
  }
  return { $ref: `#/$defs/${noun.name}` };
}

function nounSchema(noun: Noun, definitions: Map<string, Schema>): Schema {
  const { attributes, blocks } = blockShape(noun);
  const properties: { [name: string]: Schema } = { '//': {}, dynamic: { type: ['object', 'array'] } };
  for (const attribute of attributes)
    properties[attribute.name] = {
      ...attributeSchemas[attribute.kind],
      ...(attribute.fallback === undefined ? {} : { default: attribute.fallback }),
    };
  for (const block of blocks) properties[block.name] = blockSchema(block, definitions);
  const required = attributes.filter((attribute) => attribute.required).map((attribute) => attribute.name);
  return { type: 'object', additionalProperties: false, properties, ...(required.length === 0 ? {} : { required }) };
}

/** One body, several, and with labels an object of bodies by label. */
function blockSchema(block: BlockShape, definitions: Map<string, Schema>): Schema {
  const body: Schema = block.noun === undefined ? { type: 'object' } : refer(block.noun, definitions);
  if (block.alsoAttribute) return { anyOf: [...oneOrMore(body).anyOf, expression, { type: 'null' }] };
  if (!block.labelled) return oneOrMore(body);
  return oneOrMore({ type: 'object', additionalProperties: oneOrMore(body) });
}
