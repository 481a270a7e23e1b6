/** What of a row may leave: secrets are blanked, what only the store keeps is left out. */
import type { Shape } from '../lib/go-bexpr.ts';
import type { Field, FieldTable, Infer, Noun } from '../model/schema.ts';

/** A function that gives the visible form of a noun's rows; rows without anything to hide are given as they are. */
export function visibleForm<F extends FieldTable>(noun: Noun<F>): (row: Infer<Noun<F>>) => Infer<Noun<F>> {
  const hidden = Object.entries(noun.fields).filter(([, field]) => (field.visibility ?? 'api') !== 'api');
  if (hidden.length === 0) return (row) => row;
  return (row) => {
    const copy: { [name: string]: unknown } = { ...row };
    for (const [name, field] of hidden) {
      if (field.visibility === 'secret') copy[name] = '';
      else delete copy[name];
    }
    return copy as Infer<Noun<F>>;
  };
}

const shapes = new WeakMap<Noun, Shape>();

/** How filter expressions see a noun. Secrets cannot be asked for: a filter would tell them letter by letter. */
export function shapeOf(noun: Noun): Shape {
  let shape = shapes.get(noun);
  if (shape === undefined) {
    let fields: { readonly [name: string]: Shape } | undefined;
    shape = {
      kind: 'struct',
      fields: () => {
        fields ??= Object.fromEntries(
          Object.entries(noun.fields)
            .filter(([, field]) => field.visibility !== 'secret')
            .map(([name, field]) => [name, fieldShape(field)]),
        );
        return fields;
      },
    };
    shapes.set(noun, shape);
  }
  return shape;
}

function fieldShape(field: Field<unknown>): Shape {
  switch (field.kind) {
    case 'object':
      return shapeOf(field.noun!);
    case 'list':
    case 'map':
      return { kind: field.kind, item: fieldShape(field.item!) };
    case 'int':
    case 'duration':
      return { kind: 'int' };
    case 'float':
    case 'bool':
    case 'any':
      return { kind: field.kind };
    case 'string':
    case 'time':
    case 'bytes':
      return { kind: 'string' };
  }
}
