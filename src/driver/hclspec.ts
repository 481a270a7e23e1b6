/** An option schema → the plugin protocol's specification of it. Pure. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ConfigOption, ConfigSchema, OptionType } from './config-schema.ts';
import { type Spec, SpecSchema } from './gen/nomad/hclspec_pb.ts';

export function specOf(schema: ConfigSchema): Spec {
  return create(SpecSchema, objectOf(schema));
}

type SpecInit = MessageInitShape<typeof SpecSchema>;

function objectOf(schema: ConfigSchema): SpecInit {
  const attributes = Object.fromEntries(
    Object.entries(schema).map(([name, option]) => [name, create(SpecSchema, optionSpec(name, option))]),
  );
  return { block: { case: 'object', value: { attributes } } };
}

function optionSpec(name: string, option: ConfigOption): SpecInit {
  const { type, required } = option;
  if (type.kind === 'block') {
    return {
      block: { case: 'blockValue', value: { name, required, nested: create(SpecSchema, objectOf(type.fields)) } },
    };
  }
  if (type.kind === 'blocks') {
    const maxItems = type.maximum === Number.MAX_SAFE_INTEGER ? 0n : BigInt(type.maximum);
    return {
      block: {
        case: 'blockList',
        value: { name, minItems: BigInt(type.minimum), maxItems, nested: create(SpecSchema, objectOf(type.fields)) },
      },
    };
  }
  const attribute: SpecInit = { block: { case: 'Attr', value: { name, type: typeExpression(type), required } } };
  if (required || option.default === undefined || isEmpty(option.default)) return attribute;
  const literal: SpecInit = { block: { case: 'literal', value: { value: literalText(option.default) } } };
  return {
    block: { case: 'default', value: { primary: create(SpecSchema, attribute), default: create(SpecSchema, literal) } },
  };
}

/** A map is written `list(map(…))`: a block of that name parses as a list of maps. */
function typeExpression(type: OptionType): string {
  if (type.kind === 'map') return `list(map(${elementExpression(type.of)}))`;
  return elementExpression(type);
}

function elementExpression(type: OptionType): string {
  return type.kind === 'list' || type.kind === 'map' ? `${type.kind}(${elementExpression(type.of)})` : type.kind;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** JSON is HCL, but for templates in strings. */
function literalText(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('${', () => '$${')
    .replaceAll('%{', '%%{');
}
