/**
 * A plugin's specification of its options, checked and made ready for decoding: type expressions read, literals evaluated. A plugin
 * may send anything: what is wrong with a specification is said with the path to it, and its depth is limited.
 */

import {
  evaluate,
  hasErrors,
  listType,
  mapType,
  objectType,
  parseExpression,
  parseTypeConstraint,
  setType,
  type Type,
  tupleType,
  type Value,
} from '../hcl/index.ts';
import { Fault } from '../lib/fault.ts';
import { compareText } from '../lib/order.ts';
import type { Spec } from './gen/nomad/hclspec_pb.ts';
import { specFunctions } from './spec-functions.ts';

export type SpecNode =
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, SpecNode> }
  | { readonly kind: 'array'; readonly items: readonly SpecNode[] }
  | { readonly kind: 'attribute'; readonly name: string; readonly type: Type; readonly required: boolean }
  | { readonly kind: 'block'; readonly name: string; readonly required: boolean; readonly nested: SpecNode }
  | { readonly kind: 'blockAttributes'; readonly name: string; readonly type: Type; readonly required: boolean }
  | {
      readonly kind: 'blockList' | 'blockSet';
      readonly name: string;
      readonly minimum: number;
      /** 0: any number. */
      readonly maximum: number;
      readonly nested: SpecNode;
    }
  | { readonly kind: 'blockMap'; readonly name: string; readonly labels: readonly string[]; readonly nested: SpecNode }
  | { readonly kind: 'default'; readonly primary: SpecNode; readonly otherwise: SpecNode }
  | { readonly kind: 'literal'; readonly value: Value };

const maxDepth = 64;

/** `Fault('invalid')` names the first wrong part: `the specification is wrong at "mount.type": …`. */
export function readSpec(spec: Spec): SpecNode {
  return read(spec, '', [], '');
}

/** `implied`: the property a nameless specification stands under, which then is its name. */
function read(spec: Spec | undefined, implied: string, path: readonly string[], what: string): SpecNode {
  const wrong = (why: string): Fault =>
    new Fault('invalid', `the specification is wrong at "${path.join('.')}"${what}: ${why}`);
  if (path.length > maxDepth) throw wrong(`more than ${maxDepth} levels`);
  const block = spec?.block;
  if (block === undefined || block.case === undefined) throw wrong('it says nothing');
  const named = (name: string): string => {
    if (name === '' && implied === '') throw wrong(`"${block.case}" without a name`);
    return name === '' ? implied : name;
  };
  const inside = (nested: Spec | undefined, name: string): SpecNode => read(nested, '', [...path, name], what);
  switch (block.case) {
    case 'object': {
      const fields = Object.entries(block.value.attributes);
      return {
        kind: 'object',
        fields: new Map(fields.map(([name, each]) => [name, read(each, name, [...path, name], what)])),
      };
    }
    case 'array':
      return { kind: 'array', items: block.value.values.map((each, index) => inside(each, String(index))) };
    case 'default': {
      const { primary, default: otherwise } = block.value;
      return {
        kind: 'default',
        primary: inside(primary, 'primary'),
        otherwise: inside(otherwise, 'default'),
      };
    }
    case 'literal':
      return { kind: 'literal', value: literal(block.value.value, wrong) };
    case 'Attr': {
      const { name, type, required } = block.value;
      return { kind: 'attribute', name: named(name), type: typeOf(type, wrong), required };
    }
    case 'blockAttrs': {
      const { name, type, required } = block.value;
      return { kind: 'blockAttributes', name: named(name), type: typeOf(type, wrong), required };
    }
    case 'blockValue': {
      const name = named(block.value.name);
      return { kind: 'block', name, required: block.value.required, nested: inside(block.value.nested, name) };
    }
    case 'blockMap': {
      const { labels, nested } = block.value;
      const name = named(block.value.name);
      if (labels.length === 0) throw wrong('"blockMap" without labels');
      return { kind: 'blockMap', name, labels, nested: inside(nested, name) };
    }
    default: {
      const { minItems, maxItems, nested } = block.value;
      const name = named(block.value.name);
      return {
        kind: block.case,
        name,
        minimum: Number(minItems),
        maximum: Number(maxItems),
        nested: inside(nested, name),
      };
    }
  }
}

type Wrong = (why: string) => Fault;

function typeOf(text: string, wrong: Wrong): Type {
  const { expr, diagnostics } = parseExpression(text, 'type');
  const problems = hasErrors(diagnostics) ? diagnostics : parseTypeConstraint(expr, { open: true }).diagnostics;
  if (hasErrors(problems)) throw wrong(`the type ${JSON.stringify(text)}: ${problems[0]!.detail}`);
  return parseTypeConstraint(expr, { open: true }).type;
}

function literal(text: string, wrong: Wrong): Value {
  const { expr, diagnostics } = parseExpression(text, 'literal');
  if (hasErrors(diagnostics)) throw wrong(`the literal ${JSON.stringify(text)}: ${diagnostics[0]!.detail}`);
  const result = evaluate(expr, { functions: specFunctions });
  if (hasErrors(result.diagnostics))
    throw wrong(`the literal ${JSON.stringify(text)}: ${result.diagnostics[0]!.detail}`);
  return result.value;
}

/** The type that an absent value of the specification has. */
export function impliedType(spec: SpecNode): Type {
  switch (spec.kind) {
    case 'object': {
      const sorted = [...spec.fields].sort(([a], [b]) => compareText(a, b));
      return objectType(new Map(sorted.map(([name, each]) => [name, impliedType(each)])));
    }
    case 'array':
      return tupleType(spec.items.map(impliedType));
    case 'attribute':
      return spec.type;
    case 'block':
      return impliedType(spec.nested);
    case 'blockAttributes':
      return mapType(spec.type);
    case 'blockList':
      return listType(impliedType(spec.nested));
    case 'blockSet':
      return setType(impliedType(spec.nested));
    case 'blockMap':
      return spec.labels.reduce((inner) => mapType(inner), impliedType(spec.nested));
    case 'default':
      return impliedType(spec.primary);
    default:
      return spec.value.type;
  }
}
