import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringValue } from '../hcl/index.ts';
import { decodeThroughSpec } from './config-chain.ts';
import { type ConfigSchema, option } from './config-schema.ts';
import { SpecSchema } from './gen/nomad/hclspec_pb.ts';
import { specOf } from './hclspec.ts';
import { readSpec, type SpecNode } from './spec-tree.ts';

type Part = MessageInitShape<typeof SpecSchema>;
const spec = (part: Part) => create(SpecSchema, part);
const attribute = (name: string, type: string, required = false) =>
  spec({ block: { case: 'Attr', value: { name, type, required } } });
const object = (attributes: Record<string, ReturnType<typeof spec>>) =>
  spec({ block: { case: 'object', value: { attributes } } });

function decoded(config: unknown, node: SpecNode): unknown {
  const result = decodeThroughSpec(config, node, new Map([['who', stringValue('you')]]));
  return result.ok ? decode(result.msgpack) : result.problems;
}

describe('options through a specification', () => {
  it('takes each kind of it', () => {
    const nested = object({ a: attribute('a', 'number') });
    const kinds = readSpec(
      object({
        tuple: spec({
          block: {
            case: 'array',
            value: {
              values: [attribute('x', 'string'), spec({ block: { case: 'literal', value: { value: '"y"' } } })],
            },
          },
        }),
        implied: spec({ block: { case: 'Attr', value: { name: '', type: 'any' } } }),
        one: spec({ block: { case: 'blockValue', value: { name: 'one', nested } } }),
        set: spec({ block: { case: 'blockSet', value: { name: 'set', nested } } }),
        list: spec({ block: { case: 'blockList', value: { name: 'list', minItems: 1n, maxItems: 2n, nested } } }),
        map: spec({ block: { case: 'blockMap', value: { name: 'map', labels: ['k', 'l'], nested } } }),
        free: spec({ block: { case: 'blockAttrs', value: { name: 'free', type: 'number' } } }),
        filled: spec({
          block: {
            case: 'default',
            value: {
              primary: attribute('filled', 'set(string)'),
              default: spec({ block: { case: 'literal', value: { value: '[upper("z")]' } } }),
            },
          },
        }),
      }),
    );
    expect(
      decoded(
        {
          x: 'hi ${who}',
          implied: [1, 'a'],
          one: [{ a: '3' }],
          set: [{ a: 2 }, { a: 1 }, { a: 2 }],
          list: [{ a: null }],
          map: [{ k1: [{ l1: [{ a: 1 }] }] }, { k1: [{ l2: [{}] }] }],
          free: [{ q: '7' }],
        },
        kinds,
      ),
    ).toEqual({
      tuple: ['hi you', 'y'],
      implied: [1, 'a'],
      one: { a: 3 },
      set: expect.arrayContaining([{ a: 1 }, { a: 2 }]),
      list: [{ a: null }],
      map: { k1: { l1: { a: 1 }, l2: { a: null } } },
      free: { q: 7 },
      filled: ['Z'],
    });
    expect(decoded({ list: [], one: [{}, {}], free: [{ q: 'x' }], mop: 1 }, kinds)).toEqual([
      expect.stringMatching(/^Invalid label: No argument or block type is named "mop". Did you mean "map"\?$/),
      expect.stringMatching(/^Duplicate one block: Only one/),
      expect.stringMatching(/^Insufficient list blocks: At least 1 "list" blocks are required\.$/),
      expect.stringMatching(/^Invalid attribute value/),
    ]);
  });

  it('refuses what is no block, also where nobody asks for that block', () => {
    const nested = attribute('a', 'string');
    const set = spec({ block: { case: 'blockSet', value: { name: 'set', nested } } });
    const primary = attribute('a', 'string');
    const either = readSpec(spec({ block: { case: 'default', value: { primary, default: set } } }));
    expect(decoded({ a: 'x', set: [{ a: 'y' }] }, either)).toBe('x');
    expect(decoded({ a: 'x', set: false }, either)).toEqual([
      expect.stringMatching(/^Incorrect JSON value type: .*"set"/),
    ]);
  });

  it('takes no map of two labels and an absent one for the same, as Go does not', () => {
    const map = { name: 'map', labels: ['k', 'l'], nested: attribute('a', 'string') };
    const nested = spec({ block: { case: 'blockMap', value: map } });
    const list = readSpec(spec({ block: { case: 'blockList', value: { name: 'list', nested } } }));
    const one = { map: [{ x: [{ y: [{ a: 'b' }] }] }] };
    expect(decoded({ list: [one, one] }, list)).toEqual([{ x: { y: 'b' } }, { x: { y: 'b' } }]);
    expect(decoded({ list: [one, {}] }, list)).toEqual([expect.stringMatching(/^Unconsistent argument types/)]);
    const outer = { name: 'outer', nested: spec({ block: { case: 'blockList', value: { name: 'list', nested } } }) };
    const lists = readSpec(spec({ block: { case: 'blockList', value: outer } }));
    expect(decoded({ outer: [{ list: [one] }, {}] }, lists)).toEqual([[{ x: { y: 'b' } }], []]);
  });

  it('has functions of its own, and no names where an operator writes', () => {
    const node = readSpec(object({ n: attribute('n', 'any') }));
    expect(decoded({ n: '${hasindex(["a"], 0)} ${hasindex(["a"], 1)} ${int(-3.7)}' }, node)).toEqual({
      n: 'true false -3',
    });
    expect(decodeThroughSpec({ n: '${who}' }, node, null)).toMatchObject({
      problems: [expect.stringContaining('Variables not allowed')],
    });
  });

  it('says what is wrong with a specification, and where', () => {
    for (const [part, why] of [
      [object({ a: spec({}) }), /at "a": it says nothing/],
      [object({ a: attribute('a', 'lost(string)') }), /at "a".*lost/],
      [object({ a: spec({ block: { case: 'literal', value: { value: 'nobody' } } }) }), /literal "nobody"/],
      [spec({ block: { case: 'Attr', value: {} } }), /without a name/],
      [object({ a: spec({ block: { case: 'blockMap', value: { name: 'a' } } }) }), /without labels/],
    ] as const) {
      expect(() => readSpec(part)).toThrow(why);
    }
    let deep = object({});
    for (let i = 0; i < 100; i++) deep = object({ a: deep });
    expect(() => readSpec(deep)).toThrow(/more than 64 levels/);
  });

  it('refuses what options or a specification make too much of, as any other problem', () => {
    const block = spec({ block: { case: 'blockList', value: { name: 'b', nested: attribute('x', 'string') } } });
    const many = readSpec(spec({ block: { case: 'array', value: { values: Array(5000).fill(block) } } }));
    expect(decoded({ b: Array(500).fill({}) }, many)).toEqual([expect.stringMatching(/^Too many options: .*elements/)]);
    const long = readSpec(spec({ block: { case: 'literal', value: { value: '1e300000' } } }));
    expect(decoded({}, long)).toEqual([expect.stringMatching(/more than 50000 digits/)]);
    const loops = `[${Array(60).fill(1).join()}]`;
    const bomb = `[for a in ${loops}: [for b in ${loops}: [for c in ${loops}: [for d in ${loops}: 1]]]]`;
    expect(() => readSpec(object({ a: spec({ block: { case: 'literal', value: { value: bomb } } }) }))).toThrow(
      /at "a"/,
    );
  });

  it('reads the specification of our own schemas back as the same options', () => {
    const schema = {
      command: option.string({ required: true }),
      args: option.list(option.string()),
      env: option.map(option.string()),
      memory: option.number({ default: 5 }),
      text: option.string({ default: 'a ${b} %{c}' }),
      mount: option.blocks({ source: option.string(), readonly: option.bool({ default: false }) }),
      limit: option.block({ soft: option.number() }),
    } as const satisfies ConfigSchema;
    expect(decoded({ command: 'x', env: [{ a: 1 }], mount: [{ source: 's' }] }, readSpec(specOf(schema)))).toEqual({
      command: 'x',
      args: null,
      env: [{ a: '1' }],
      memory: 5,
      text: 'a ${b} %{c}',
      mount: [{ source: 's', readonly: false }],
      limit: null,
    });
  });

  it('writes any JSON so that it reads back, and never throws', () => {
    const node = readSpec(object({ any: attribute('any', 'any'), s: attribute('s', 'map(string)') }));
    const json = fc.jsonValue({ stringUnit: fc.constantFrom('a', 'é', '$', '{', '}', '%', '"', '\\', ' ') });
    fc.assert(
      fc.property(json, json, (any, s) => {
        const result = decodeThroughSpec({ any, s }, node, new Map());
        if (result.ok) decode(result.msgpack);
        else expect(result.problems.length).toBeGreaterThan(0);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (any) => {
        const result = decodeThroughSpec({ any }, node, null);
        if (!result.ok) throw new Error(result.problems.join());
        const read = (decode(result.msgpack, { useBigInt64: true }) as { any: number | bigint }).any;
        expect(BigInt(read)).toBe(any);
      }),
    );
  });
});
