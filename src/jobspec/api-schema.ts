import { integerRanges } from '../model/decode.ts';
import { Job } from '../model/job.ts';
import type { Field, Noun } from '../model/schema.ts';

type Schema = { readonly [key: string]: unknown };

const plainTypes = {
  string: 'string',
  bool: 'boolean',
  float: 'number',
  time: 'string',
  bytes: 'string',
} as const;

/**
 * A JSON Schema (2020-12) of a job as the API and `job run -json` take it, bare or under `Job`, from the field tables. The server
 * reads names in any case; the schema has them as they are written.
 */
export function apiJobSchema(): Schema {
  const definitions = new Map<string, Schema>();
  const job = refer(Job, definitions);
  const wrapped = { type: 'object', required: ['Job'], properties: { Job: job } };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Job in the JSON form of the API',
    if: { type: 'object', properties: { Job: {} }, required: ['Job'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: wrapped,
    else: job,
    $defs: Object.fromEntries([...definitions].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function refer(noun: Noun, definitions: Map<string, Schema>): Schema {
  if (!definitions.has(noun.name)) {
    definitions.set(noun.name, {}); // a noun may hold itself
    const properties = Object.entries(noun.fields).map(([name, field]) => [name, orNull(field, definitions)]);
    definitions.set(noun.name, {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(properties),
    });
  }
  return { $ref: `#/$defs/${noun.name}` };
}

/** Null is as good as absent everywhere. */
function orNull(field: Field<unknown>, definitions: Map<string, Schema>): Schema {
  const value = valueSchema(field, definitions);
  const described = field.doc === undefined ? {} : { description: field.doc };
  return Object.keys(value).length === 0 ? described : { anyOf: [value, { type: 'null' }], ...described };
}

function valueSchema(field: Field<unknown>, definitions: Map<string, Schema>): Schema {
  switch (field.kind) {
    case 'int': {
      const [minimum, maximum] = integerRanges[field.bits ?? 'int'];
      return { type: 'integer', minimum: Number(minimum), maximum: Number(maximum) };
    }
    case 'duration':
      return { type: 'integer', description: 'Nanoseconds.' };
    case 'list':
      return { type: 'array', items: orNull(field.item!, definitions) };
    case 'map':
      return { type: 'object', additionalProperties: orNull(field.item!, definitions) };
    case 'object':
      return refer(field.noun!, definitions);
    case 'any':
      return {};
    default:
      return { type: plainTypes[field.kind] };
  }
}
