/** A parsed configuration file → the tree that settings are decoded from. Values are literals: an agent file has no variables. */

import { parseHcl1 } from '../hcl/hcl1.ts';
import {
  type Body,
  type Diagnostic,
  type Expression,
  evaluate,
  type JsonNode,
  type SourceRange,
  toJson,
} from '../hcl/index.ts';
import { looksLikeJson, parseJson } from '../hcl/parse-any.ts';
import type { Entry, Tree, TreeValue } from './settings-decode.ts';

/** JSON or HCL, told apart by its first character. */
export function parseConfig(source: Uint8Array, filename: string): { tree: Tree; diagnostics: Diagnostic[] } {
  const parsed = looksLikeJson(source) ? parseJson(source, filename) : parseHcl1(source, filename);
  const diagnostics = [...parsed.diagnostics];
  return { tree: treeOf(parsed.body, diagnostics), diagnostics };
}

function treeOf(body: Body, diagnostics: Diagnostic[]): Tree {
  if (body.json !== undefined) return jsonTree(body.json);
  const attributes = [...body.attributes.values()].map(
    (attribute): Entry => ({
      key: attribute.name,
      range: attribute.range,
      value: literalOf(attribute.expr, attribute.range, diagnostics),
    }),
  );
  const blocks = body.blocks.map((block): Entry => {
    const inner = treeOf(block.body, diagnostics);
    const value = block.labels.reduceRight<Tree>(
      (tree, label) => ({ entries: [{ key: label, range: block.headerRange, value: tree }] }),
      inner,
    );
    return { key: block.type, range: block.headerRange, value };
  });
  return { entries: [...attributes, ...blocks].sort((a, b) => a.range.startByte - b.range.startByte) };
}

function literalOf(expr: Expression, range: SourceRange, diagnostics: Diagnostic[]): TreeValue {
  const { value, diagnostics: found } = evaluate(expr, {});
  diagnostics.push(...found);
  return found.length > 0 ? null : plainTree(toJson(value), range);
}

function plainTree(value: unknown, range: SourceRange): TreeValue {
  if (Array.isArray(value)) return value.map((item) => plainTree(item, range));
  if (typeof value !== 'object' || value === null) return value as TreeValue;
  return { entries: Object.entries(value).map(([key, item]) => ({ key, range, value: plainTree(item, range) })) };
}

function jsonTree(node: JsonNode): Tree {
  const nodes = node.kind === 'array' ? node.items : [node];
  const properties = nodes.flatMap((item) => (item.kind === 'object' ? item.properties : []));
  return {
    entries: properties.map((property) => ({
      key: property.name,
      range: property.nameRange,
      value: jsonValue(property.value),
    })),
  };
}

function jsonValue(node: JsonNode): TreeValue {
  switch (node.kind) {
    case 'object':
      return jsonTree(node);
    case 'array':
      return node.items.map(jsonValue);
    case 'string':
    case 'bool':
      return node.value;
    case 'number':
      return Number(node.text);
    default:
      return null;
  }
}
