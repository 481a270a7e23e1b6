import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from './fault.ts';
import { anyShape, compileFilter, parseExpression, type Shape } from './go-bexpr.ts';

const text: Shape = { kind: 'string' };
const job: Shape = {
  kind: 'struct',
  fields: () => ({
    ID: text,
    Priority: { kind: 'int' },
    Stop: { kind: 'bool' },
    Meta: { kind: 'map', item: text },
    Datacenters: { kind: 'list', item: text },
    Periodic: { kind: 'struct', fields: () => ({ Enabled: { kind: 'bool' } }) },
    TaskGroups: { kind: 'list', item: { kind: 'struct', fields: () => ({ Name: text, Count: { kind: 'int' } }) } },
  }),
};
const web = {
  ID: 'web',
  Priority: 50,
  Stop: false,
  Meta: { team: 'red', 'a.b': 'dotted' },
  Datacenters: ['dc1', 'dc2'],
  Periodic: null,
  TaskGroups: [
    { Name: 'g', Count: 1 },
    { Name: 'h', Count: 3 },
  ],
};
const holds = (filter: string, datum: object = web) => compileFilter(parseExpression(filter), job)(datum);

describe('a filter', () => {
  it.each([
    ['ID == "web"', true],
    ['ID == web', true],
    ['ID != `web`', false],
    ['"/ID" == "web"', true],
    ['Priority == 50', true],
    ['Priority == "50"', true],
    ['Stop == false', true],
    ['ID matches "^w.b$"', true],
    ['ID matches "(?i)WEB"', true],
    ['ID not matches "x"', true],
    ['Meta.team == red', true],
    ['Meta["a.b"] == "dotted"', true],
    ['"/Meta/a.b" == "dotted"', true],
    ['Meta.none == "x"', false],
    ['Meta.none != "x"', true],
    ['Meta.none is empty', true],
    ['team in Meta', true],
    ['"none" not in Meta', true],
    ['Meta contains "team"', true],
    ['"dc1" in Datacenters', true],
    ['dc1 in Datacenters', true],
    ['Datacenters not contains "dc9"', true],
    ['"eb" in ID', true],
    ['Datacenters is not empty', true],
    ['Periodic.Enabled == true', false],
    ['not ID == "x"', true],
    ['not not ID == "x"', false],
    ['ID == "x" or Priority == 50 and Stop == false', true],
    ['(ID == "x" or Priority == 50) and Stop == true', false],
    ['any TaskGroups as g { g.Count == 3 }', true],
    ['all TaskGroups as g { g.Count == 3 }', false],
    ['any TaskGroups as i, g { i == 1 and g.Name == "h" }', true],
    ['any Meta as k { k == "team" }', true],
    ['any Meta as k, v { v == "red" }', true],
  ])('%s is %s', (filter, expected) => {
    expect(holds(filter)).toBe(expected);
  });

  it('names a field that does not exist, as the reference does', () => {
    expect(() => holds('Nope == "x"')).toThrow(
      'error finding value in datum: /Nope at part 0: couldn\'t find key: struct field with name "Nope"',
    );
  });

  it('says where an expression is broken', () => {
    expect(() => parseExpression('ID = "x"')).toThrow('at position 4');
    expect(() => parseExpression('(ID == "x"')).toThrow('expected ")"');
    expect(() => parseExpression('')).toThrow('unexpected end, expected');
    expect(() => holds('Priority == red')).toThrow('is not a number');
    expect(() => holds('ID matches "("')).toThrow('error parsing regexp');
  });

  it('never throws anything but a Fault, whatever the text', () => {
    const pieces = fc.constantFrom(
      'ID',
      'Meta',
      '.',
      '[',
      ']',
      '"a"',
      '`b`',
      '5',
      '==',
      '!=',
      'in',
      'not',
      'is',
      'empty',
    );
    const more = fc.constantFrom(
      'and',
      'or',
      '(',
      ')',
      'any',
      'as',
      '{',
      '}',
      'matches',
      ',',
      'contains',
      '"/ID"',
      '\\',
      '"',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.oneof(pieces, more)).map((all) => all.join(' ')),
        ),
        (filter) => {
          try {
            compileFilter(parseExpression(filter), anyShape)(web);
          } catch (error) {
            expect(error).toBeInstanceOf(Fault);
          }
        },
      ),
    );
  });

  it('finds any string value it quoted itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(
          holds(`ID == ${JSON.stringify(value).replaceAll('\\b', '\\u0008').replaceAll('\\/', '/')}`, { ID: value }),
        ).toBe(true);
      }),
    );
  });
});
