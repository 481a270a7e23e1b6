import {
  type Attribute,
  type Block,
  type Body,
  type Diagnostic,
  type Expression,
  errorAt,
  stringValue,
} from '../hcl/index.ts';

/** The attributes of a body in which nested blocks count as attributes with an object for a value. */
export function blockAttributes(body: Body): {
  attributes: ReadonlyMap<string, Attribute>;
  diagnostics: readonly Diagnostic[];
} {
  if (body.blocks.length === 0) return { attributes: body.attributes, diagnostics: [] };
  const attributes = new Map(body.attributes);
  const diagnostics: Diagnostic[] = [];
  for (const block of body.blocks) {
    const before = attributes.get(block.type);
    if (before === undefined) attributes.set(block.type, asAttribute(block));
    else
      diagnostics.push(
        errorAt(block.typeRange, 'Attribute redefined', `"${block.type}" was set already at ${before.nameRange}`),
      );
  }
  return { attributes, diagnostics };
}

function asAttribute(block: Block): Attribute {
  return { name: block.type, expr: asObject(block), range: block.range, nameRange: block.typeRange };
}

function asObject(block: Block): Expression {
  const inner = blockAttributes(block.body).attributes;
  return {
    kind: 'object',
    items: [...inner.values()].map((attribute) => ({
      key: { kind: 'literal', value: stringValue(attribute.name), range: attribute.nameRange },
      keyIsExpression: true,
      value: attribute.expr,
    })),
    openRange: block.openBraceRange,
    range: block.openBraceRange.to(block.closeBraceRange),
  };
}
