/**
 * Any specification of options and options that fit it, or nearly: what our chain and Go's are asked alike.
 *
 * Some of it Go answers by a crash (`any` in blocks with labels, free attributes of several types): nothing to agree with.
 */
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { type Spec, SpecSchema } from '../../src/driver/gen/nomad/hclspec_pb.ts';

export interface SpecCase {
  readonly spec: Spec;
  readonly config: unknown;
  /** An operator's options may use no names. */
  readonly operator: boolean;
}

const spec = (block: Spec['block']): Spec => create(SpecSchema, { block });
const of = <K extends NonNullable<Spec['block']['case']>>(kind: K, value: object): Spec =>
  spec(create(SpecSchema, { block: { case: kind, value } } as never).block);

const names = fc.constantFrom('a', 'b', 'c');
const lists = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(each, { maxLength: 3 });

/** `map(list(object({a=string})))` */
const { type } = fc.letrec<{ type: string; inner: string }>((tie) => ({
  type: fc.oneof({ depthSize: 'small' }, fc.constantFrom('string', 'number', 'bool', 'any', 'any'), tie('inner')),
  inner: fc.oneof(
    fc.tuple(fc.constantFrom('list', 'set', 'map'), tie('type')).map(([kind, element]) => `${kind}(${element})`),
    fc
      .dictionary(names, tie('type'), { maxKeys: 3 })
      .map((fields) => `object({${Object.entries(fields).map((each) => each.join('='))}})`),
    lists(tie('type')).map((elements) => `tuple([${elements}])`),
  ),
}));

const literal = fc
  .constantFrom(
    ...[
      '"x"',
      '1',
      'true',
      'null',
      '[]',
      '[1,"a"]',
      '{a="x",b=true}',
      'upper("q")',
      '"${1+1}"',
      '[null]',
      '1e30',
      '0.1',
    ],
    ...['-5', '[for x in ["a"]: x]', 'nobody', '<<E\nx\nE\n', '"é"', 'max(1, 2.5)', 'jsondecode("{\\"a\\":[1]}")', '"'],
  )
  .map((value) => of('literal', { value }));

const counts = { minItems: fc.constantFrom(0n, 0n, 1n, 2n), maxItems: fc.constantFrom(0n, 0n, 1n, 2n) };
const required = fc.boolean();

/** Names tell the kinds apart: what one name is twice is not a specification. */
const { node, root } = fc.letrec<{ node: Spec; root: Spec }>((tie) => {
  const nested = tie('node');
  return {
    node: fc.oneof(
      { depthSize: 'small', maxDepth: 5 },
      fc.record({ name: fc.constantFrom('', 'a', 'b', 'c'), type, required }).map((value) => of('Attr', value)),
      literal,
      fc.record({ name: fc.constant('free'), type, required }).map((value) => of('blockAttrs', value)),
      fc.record({ name: fc.constantFrom('one', 'two'), required, nested }).map((value) => of('blockValue', value)),
      fc.record({ name: fc.constant('list'), ...counts, nested }).map((value) => of('blockList', value)),
      fc.record({ name: fc.constant('set'), ...counts, nested }).map((value) => of('blockSet', value)),
      fc
        .record({ labels: fc.constantFrom([], ['k'], ['k', 'l']), nested })
        .map((value) => of('blockMap', { name: `map${value.labels.length}`, ...value })),
      fc.record({ primary: nested, default: nested }).map((value) => of('default', value)),
      lists(nested).map((values) => of('array', { values })),
      tie('root'),
    ),
    root: fc.dictionary(names, nested, { maxKeys: 3 }).map((attributes) => of('object', { attributes })),
  };
});

const texts = ['x', '', '1', 'true', '${who}', '${n}', '${upper("a")}', '$${who}', 'é', '${nope}', 'x-${n}', '${null}'];
const scalar = fc.oneof(
  fc.constantFrom<unknown>(...texts, '%{ if true }y%{ endif }', 0.1, 2.5, 1e21, 2 ** 53, null),
  fc.integer({ min: -70_000, max: 70_000 }),
  fc.boolean(),
);
const { anything } = fc.letrec<{ anything: unknown }>((tie) => ({
  anything: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    scalar,
    lists(tie('anything')),
    fc.dictionary(names, tie('anything'), { maxKeys: 3 }),
  ),
}));

const mostly = (good: fc.Arbitrary<unknown>, other: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: other });

function fitting(text: string): fc.Arbitrary<unknown> {
  if (text === 'string') return fc.constantFrom<unknown>('x', 'y', '${who}', 3, true, null);
  if (text === 'number') return fc.constantFrom<unknown>(1, 2, 0.1, 1e21, '3', '${n}', -5, 70_000, null);
  // mostly of a few types, so that they may go together in a collection
  if (text === 'any')
    return fc.oneof(fc.constantFrom<unknown>('x', 1, true, null, ['x'], [1], { a: 'x' }, {}, []), anything);
  if (text === 'bool') return fc.constantFrom<unknown>(true, 'false', '${true}', null);
  const [, kind = '', inner = ''] = /^(\w+)\((.*)\)$/s.exec(text) ?? [];
  if (kind === 'map') return mostly(fc.dictionary(names, fitting(inner), { maxKeys: 3 }), scalar);
  if (kind === 'list' || kind === 'set') return mostly(lists(fitting(inner)), scalar);
  const parts = splitOutside(inner.slice(1, -1));
  if (kind === 'tuple') return mostly(fc.tuple(...parts.map(fitting)), scalar);
  const fields = parts.map((part) => [part.slice(0, part.indexOf('=')), fitting(part.slice(part.indexOf('=') + 1))]);
  return mostly(fc.record(Object.fromEntries(fields)), scalar);
}

/** At the commas that are in no bracket. */
function splitOutside(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const [at, char] of [...text, ','].entries()) {
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    else if (char === ',' && depth === 0) {
      if (at > from) parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return parts;
}

function optionsOf(each: Spec, into: Record<string, fc.Arbitrary<unknown>>, implied = ''): void {
  const { block } = each;
  switch (block.case) {
    case 'object':
      for (const [name, inner] of Object.entries(block.value.attributes)) optionsOf(inner, into, name);
      break;
    case 'array':
      for (const inner of block.value.values) optionsOf(inner, into);
      break;
    case 'default':
      for (const inner of [block.value.primary!, block.value.default!]) optionsOf(inner, into);
      break;
    case 'Attr':
      into[block.value.name || implied] = fitting(block.value.type);
      break;
    case 'blockAttrs':
      into['free'] = fc.tuple(fc.dictionary(names, fitting(block.value.type), { maxKeys: 3 }));
      break;
    case 'blockValue':
      into[block.value.name] = mostly(fc.tuple(bodyOf(block.value.nested!)), lists(bodyOf(block.value.nested!)));
      break;
    case 'blockList':
    case 'blockSet':
      into[block.value.name] = mostly(lists(bodyOf(block.value.nested!)), anything);
      break;
    case 'blockMap': {
      const inner = bodyOf(block.value.nested!);
      const labelled = block.value.labels.reduce(
        (of: fc.Arbitrary<unknown>) => fc.dictionary(names, mostly(fc.tuple(of), lists(of)), { maxKeys: 2 }),
        inner,
      );
      into[block.value.name] = mostly(fc.tuple(labelled), anything);
    }
  }
}

function bodyOf(each: Spec): fc.Arbitrary<unknown> {
  const options: Record<string, fc.Arbitrary<unknown>> = {};
  optionsOf(each, options);
  return mostly(
    fc.record(options, { requiredKeys: [] }),
    fc.dictionary(fc.constantFrom('a', 'aa', 'list'), anything, { maxKeys: 2 }),
  );
}

export const specCases: fc.Arbitrary<SpecCase> = fc
  .oneof({ weight: 9, arbitrary: root }, { weight: 1, arbitrary: node })
  .chain((each) => fc.record({ spec: fc.constant(each), config: bodyOf(each), operator: fc.boolean() }));
