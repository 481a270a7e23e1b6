import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeConfig } from './config-decode.ts';
import { option } from './config-schema.ts';

const schema = {
  command: option.string({ required: true }),
  args: option.list(option.string()),
  count: option.number(),
  tty: option.bool({ default: false }),
  labels: option.map(option.string()),
  mount: option.blocks({ source: option.string({ required: true }), readonly: option.bool({ default: true }) }),
  logging: option.block({ driver: option.string({ default: 'none' }) }),
} as const;

function value(body: unknown) {
  const decoded = decodeConfig(schema, body);
  if (!decoded.ok) throw new Error(decoded.problems.join(' | '));
  return decoded.value;
}

function problems(body: unknown): readonly string[] {
  const decoded = decodeConfig(schema, body);
  return decoded.ok ? [] : decoded.problems;
}

describe('a config body', () => {
  test('has every option: defaults, empty lists and maps, or null', () => {
    expect(value({ command: 'x' })).toEqual({
      command: 'x',
      args: [],
      count: null,
      tty: false,
      labels: {},
      mount: [],
      logging: null,
    });
  });

  test('converts as HCL does', () => {
    expect(value({ command: 42, args: ['a', 1, true], count: '12', tty: 'true' })).toMatchObject({
      command: '42',
      args: ['a', '1', 'true'],
      count: 12,
      tty: true,
    });
    expect(value({ command: 1e21 }).command).toBe('1000000000000000000000');
    expect(value({ command: 1.5e-7 }).command).toBe('0.00000015');
  });

  test('takes blocks as lists of maps, and merges the maps of a map option, later ones winning', () => {
    expect(value({ command: 'x', labels: [{ a: 'b', n: 3 }, { a: 'c' }] }).labels).toEqual({ a: 'c', n: '3' });
    expect(value({ command: 'x', labels: { a: 'b' } }).labels).toEqual({ a: 'b' });
    expect(value({ command: 'x', mount: [{ source: '/a' }, { source: '/b', readonly: false }] }).mount).toEqual([
      { source: '/a', readonly: true },
      { source: '/b', readonly: false },
    ]);
    expect(value({ command: 'x', logging: [{}] }).logging).toEqual({ driver: 'none' });
  });

  test('names everything that is wrong, and the nearest name', () => {
    expect(problems({ comand: 'x' })).toEqual([
      'Missing required argument: The argument "command" is required, but no definition was found.',
      'Invalid label: No argument or block type is named "comand". Did you mean "command"?',
    ]);
    expect(problems({ command: 'x', count: 'lots', tty: 1, args: 'a' })).toEqual([
      'Incorrect attribute value type: Inappropriate value for attribute "args": list of string required.',
      'Incorrect attribute value type: Inappropriate value for attribute "count": a number is required.',
      'Incorrect attribute value type: Inappropriate value for attribute "tty": bool required.',
    ]);
    expect(problems({ command: 'x', mount: [{ source: '/a' }, { sorce: '/b' }] })).toEqual([
      'Missing required argument: The argument "mount[1].source" is required, but no definition was found.',
      'Invalid label: No argument or block type is named "sorce" inside "mount[1]". Did you mean "source"?',
    ]);
    expect(problems({ command: 'x', logging: [{}, {}] })).toEqual([
      'Duplicate logging block: Only one block of type "logging" is allowed.',
    ]);
    expect(problems({ command: 'x', count: 2n ** 60n })).toHaveLength(1);
  });

  test('of any shape is decoded or refused, never thrown at', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        const decoded = decodeConfig(schema, body);
        expect(decoded.ok ? typeof decoded.value : decoded.problems.length).toBeTruthy();
      }),
    );
    fc.assert(
      fc.property(
        fc.record({ command: fc.jsonValue(), args: fc.jsonValue(), mount: fc.jsonValue(), labels: fc.jsonValue() }),
        (body) => {
          decodeConfig(schema, body);
        },
      ),
    );
  });

  test('keeps a key named __proto__ a key like any other', () => {
    const labels = value({ command: 'x', labels: JSON.parse('{"__proto__":"a"}') }).labels;
    expect(Object.keys(labels)).toEqual(['__proto__']);
  });
});
