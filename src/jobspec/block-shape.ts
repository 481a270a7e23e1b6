import type { Field, Noun } from '../model/schema.ts';
import { labelsOf, shorthandsOf, writtenRows } from './body-schema.ts';

/** What an attribute takes: `duration` is text like `10s` or nanoseconds; `any` has no schema. */
export type AttributeKind = 'string' | 'number' | 'bool' | 'duration' | 'strings' | 'map' | 'any' | 'objects';

export interface AttributeShape {
  readonly name: string;
  readonly kind: AttributeKind;
  readonly required: boolean;
  /** In the API's canonical job where a file says nothing; undefined where that is the zero value or depends on other fields. */
  readonly fallback: unknown;
  /** The field of the API's job; empty for shorthands, which set several. */
  readonly field: string;
}

export interface BlockShape {
  readonly name: string;
  /** What may stand in it; undefined: a body without a schema (`config`) or of text values (`meta`). */
  readonly noun: Noun | undefined;
  readonly content: 'noun' | 'map' | 'free';
  readonly repeated: boolean;
  readonly labelled: boolean;
  /** May be written as an attribute too: `meta = { … }`. */
  readonly alsoAttribute: boolean;
  readonly field: string;
}

export interface NounShape {
  readonly attributes: readonly AttributeShape[];
  readonly blocks: readonly BlockShape[];
}

const shapes = new Map<Noun, NounShape>();

/** What the block of a noun holds in a job file, by the field tables: for schemas, typed builders and reference pages. */
export function blockShape(noun: Noun): NounShape {
  let shape = shapes.get(noun);
  if (shape === undefined) {
    shape = makeShape(noun);
    shapes.set(noun, shape);
  }
  return shape;
}

function makeShape(noun: Noun): NounShape {
  const attributes: AttributeShape[] = [];
  const blocks: BlockShape[] = [];
  for (const [name, field] of writtenRows(noun)) {
    const { hcl } = field;
    if (hcl === undefined || hcl.form === 'label') continue;
    if (hcl.form === 'attribute')
      attributes.push({
        name: hcl.name,
        kind: attributeKind(field),
        required: hcl.required === true,
        fallback: field.fallback,
        field: name,
      });
    else blocks.push(nestedBlock(noun, name, field));
  }
  const written = new Set(attributes.map((attribute) => attribute.name));
  for (const name of shorthandsOf(noun)) {
    const kind = name === 'distinct_hosts' ? 'bool' : 'string';
    if (!written.has(name)) attributes.push({ name, kind, required: false, fallback: undefined, field: '' });
  }
  return { attributes, blocks };
}

function nestedBlock(owner: Noun, field: string, row: Field<unknown>): BlockShape {
  const hcl = row.hcl!;
  const noun = row.noun ?? row.item?.noun;
  return {
    name: hcl.name,
    noun,
    content: noun !== undefined ? 'noun' : hcl.form === 'free' ? 'free' : 'map',
    repeated: row.kind === 'list' || (row.kind === 'map' && noun !== undefined),
    labelled: labelsOf(row, owner).length > 0,
    alsoAttribute: hcl.form === 'mapping',
    field,
  };
}

function attributeKind(field: Field<unknown>): AttributeKind {
  switch (field.kind) {
    case 'bool':
    case 'duration':
    case 'any':
      return field.kind;
    case 'int':
    case 'float':
      return 'number';
    case 'list':
      return field.item?.kind === 'string' ? 'strings' : 'objects';
    case 'map':
      return 'map';
    default:
      return 'string';
  }
}
