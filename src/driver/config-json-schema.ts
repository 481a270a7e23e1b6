/** An option schema as a JSON Schema (2020-12) of the body as JSON jobs hold it, for editors and other tools. Pure. */
import type { ConfigOption, ConfigSchema, OptionType } from './config-schema.ts';

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export function jsonSchemaOf(schema: ConfigSchema): JsonSchema {
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...bodySchema(schema) };
}

function bodySchema(schema: ConfigSchema): JsonSchema {
  const options = Object.entries(schema);
  const required = options.filter(([, each]) => each.required).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(options.map(([name, each]) => [name, optionSchema(each)])),
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
  };
}

function optionSchema({ type, doc, default: preset }: ConfigOption): JsonSchema {
  return {
    ...valueSchema(type),
    ...(doc === '' ? {} : { description: doc }),
    ...(preset === undefined ? {} : { default: preset }),
  };
}

/** One block may be written as itself or as a list of it, which is how HCL gives it. */
function valueSchema(type: OptionType): JsonSchema {
  switch (type.kind) {
    case 'any':
      return {};
    case 'bool':
      return { type: 'boolean' };
    case 'list':
      return { type: 'array', items: valueSchema(type.of) };
    case 'map': {
      const one = { type: 'object', additionalProperties: valueSchema(type.of) };
      return { anyOf: [one, { type: 'array', items: one }] };
    }
    case 'block': {
      const one = bodySchema(type.fields);
      return { anyOf: [one, { type: 'array', items: one, maxItems: 1 }] };
    }
    case 'blocks': {
      const maximum = type.maximum === Number.MAX_SAFE_INTEGER ? {} : { maxItems: type.maximum };
      return { type: 'array', items: bodySchema(type.fields), minItems: type.minimum, ...maximum };
    }
    default:
      return { type: type.kind };
  }
}
