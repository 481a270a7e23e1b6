import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderTemplate, TemplateError, type Value } from './index.ts';

const jobs: Value = [
  { ID: 'web', Version: 3, Stop: false, Meta: { team: 'red' }, Groups: [{ Name: 'g', Count: 2 }], Periodic: null },
  { ID: 'db', Version: 0, Stop: true, Meta: null, Groups: [], Periodic: null },
];

const cases: readonly (readonly [template: string, data: Value, expected: string])[] = [
  ['plain', null, 'plain'],
  ['{{range .}}{{.ID}} {{end}}', jobs, 'web db '],
  ['{{range $i, $job := .}}{{$i}}={{$job.ID}};{{end}}', jobs, '0=web;1=db;'],
  ['{{range .Empty}}x{{else}}none{{end}}', { Empty: [] }, 'none'],
  ['{{range $k, $v := .}}{{$k}}{{$v}}{{end}}', { b: 2, a: 1 }, 'a1b2'],
  ['{{range 3}}{{.}}{{end}}', null, '012'],
  ['{{range .}}{{if .Stop}}{{continue}}{{end}}{{.ID}}{{end}}', jobs, 'web'],
  ['{{range .}}{{.ID}}{{break}}{{end}}', jobs, 'web'],
  ['{{if .A}}a{{else if .B}}b{{else}}c{{end}}', { A: false, B: 1 }, 'b'],
  ['{{with .Meta}}{{.team}}{{end}}', (jobs as Value[])[0], 'red'],
  ['{{with .Meta}}{{.team}}{{else}}bare{{end}}', (jobs as Value[])[1], 'bare'],
  ['{{with .A}}{{$.B}}{{end}}', { A: 1, B: 'root' }, 'root'],
  ['{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}', null, '2'],
  ['{{$x := 1}}{{range .}}{{$x = .}}{{end}}{{$x}}', [4, 5], '5'],
  ['{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}', null, '21'],
  ['{{len .}} {{len "häh"}} {{len .a}}', { a: [1, 2] }, '1 4 2'],
  ['{{index . 1 "a"}}', [0, { a: 'x' }], 'x'],
  ['{{index .Meta "nope"}}', { Meta: {} }, '<no value>'],
  ['{{slice . 1 3}}', 'abcd', 'bc'],
  ['{{slice . 2}}', [1, 2, 3], '[3]'],
  ['{{.A.B.C}}', { A: { B: { C: 'deep' } } }, 'deep'],
  ['{{(index . 0).ID}}', jobs, 'web'],
  ['{{.a | printf "%s-%d" "x"}}', { a: 5 }, 'x-5'],
  [
    '{{printf "%5d|%-5s|%05.1f|%q|%v|%t|%x|%%" 42 "ab" 3.14159 "a\\"b" true false 255}}',
    null,
    '   42|ab   |003.1|"a\\"b"|true|false|ff|%',
  ],
  ['{{printf "%d %s" "a"}}', null, '%!d(string=a) %!s(MISSING)'],
  ['{{printf "x" 1}}', null, 'x%!(EXTRA int=1)'],
  ['{{print 1 2 "a" "b" 3}}|{{println 1 "a"}}', null, '1 2ab3|1 a\n'],
  [
    '{{eq 1 1}} {{eq .A 2 3}} {{ne "a" "b"}} {{lt 1 2}} {{ge "b" "a"}} {{gt 1 2}} {{le 2 2}}',
    { A: 3 },
    'true true true true true false true',
  ],
  ['{{and 1 0 2}} {{or 0 "" "x"}} {{not 0}} {{and true false}}', null, '0 x true false'],
  ['{{or true (index .A 5)}}', { A: [] }, 'true'],
  ['a {{- /* said to nobody */ -}} b', null, 'ab'],
  ['a {{- 1 -}} b {{2}}', null, 'a1b 2'],
  ['{{"\\u00e9\\n"}}{{`raw\\n`}}{{\'a\'}}', null, 'é\nraw\\n97'],
  ['{{define "x"}}<{{.}}>{{end}}{{template "x" .A}}{{block "y" 1}}[{{.}}]{{end}}', { A: 'v' }, '<v>[1]'],
  ['{{.}} {{.A}}', { A: [1, null, 'x'], B: { c: 1.5 } }, 'map[A:[1 <nil> x] B:map[c:1.5]] [1 <nil> x]'],
  ['{{.config.region}} {{.Config.region}}', { config: { region: 'eu' } }, 'eu eu'],
  ['{{html "<a>"}} {{urlquery "a b&c"}} {{js "\'"}}', null, "&lt;a&gt; a+b%26c \\'"],
  ['{{1600000000000000000}} {{.N}}', { N: 12345678901234567890n }, '1600000000000000000 12345678901234567890'],
];

describe('a template gives what Go gives:', () => {
  it.each(cases)('%s', (template, data, expected) => {
    expect(renderTemplate(template, data)).toBe(expected);
  });
});

const faults: readonly (readonly [template: string, data: Value, message: string])[] = [
  [
    '{{range .}}{{.IDX}}{{end}}',
    jobs,
    `template: :1:13: executing "" at <.IDX>: can't evaluate field IDX in type struct`,
  ],
  ['a\n {{.A.B}}', { A: 'x' }, `template: :2:5: executing "" at <.A.B>: can't evaluate field B in type string`],
  ['{{.A.B}}', { A: null }, 'template: :1:4: executing "" at <.A.B>: nil pointer evaluating interface {}.B'],
  ['{{.ID', null, 'template: :1: unclosed action'],
  ['{{if .}}', null, 'template: :1: unexpected EOF'],
  ['{{end}}', null, 'template: :1: unexpected {{end}}'],
  ['{{nope .}}', null, 'template: :1: function "nope" not defined'],
  ['{{$x}}', null, 'template: :1: undefined variable "$x"'],
  ['{{}}', null, 'template: :1: missing value for command'],
  ['{{"abc}}', null, 'template: :1: unterminated quoted string'],
  ['{{range}}{{end}}', null, 'template: :1: missing value for range'],
  ['{{#}}', null, "template: :1: unrecognized character in action: U+0023 '#'"],
  ['{{(1}}', null, 'template: :1: unclosed left paren'],
  ['{{break}}', null, 'template: :1: {{break}} outside {{range}}'],
  ['{{/* a }}', null, 'template: :1: unclosed comment'],
  ['{{len}}', null, 'template: :1:2: executing "" at <len>: wrong number of args for len: want 1 got 0'],
  ['{{len 3}}', null, 'template: :1:2: executing "" at <len 3>: error calling len: len of type int'],
  ['{{index . 9}}', [1], 'template: :1:2: executing "" at <index . 9>: error calling index: index out of range: 9'],
  [
    '{{eq 1 "a"}}',
    null,
    'template: :1:2: executing "" at <eq 1 "a">: error calling eq: incompatible types for comparison',
  ],
  [
    '{{lt true false}}',
    null,
    'template: :1:2: executing "" at <lt true false>: error calling lt: invalid type for comparison',
  ],
  ['{{range "x"}}{{end}}', null, `template: :1:8: executing "" at <"x">: range can't iterate over x`],
  ['{{nil}}', null, 'template: :1:2: executing "" at <nil>: nil is not a command'],
  ['{{.A 1}}', { A: 1 }, 'template: :1:2: executing "" at <.A>: A has arguments but cannot be invoked as function'],
  ['{{template "x"}}', null, 'template: :1:11: executing "" at <{{template "x"}}>: template "x" not defined'],
];

describe('a fault reads as Go writes it:', () => {
  it.each(faults)('%s', (template, data, message) => {
    expect(() => renderTemplate(template, data)).toThrow(new TemplateError(message));
  });
});

it('a template that calls itself for ever ends', () => {
  expect(() => renderTemplate('{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', null)).toThrow(
    /exceeded maximum template depth/,
  );
  expect(() => renderTemplate('{{'.concat('('.repeat(5_000)), null)).toThrow(TemplateError);
});

const pieces = fc.constantFrom(
  ...[
    '{{',
    '}}',
    '{{-',
    ' -}}',
    '.',
    '.A',
    '$',
    '$x',
    ':=',
    '=',
    '|',
    '(',
    ')',
    ',',
    '"a"',
    '`',
    "'",
    '1',
    '-2.5',
    '0x',
    ' ',
    '\n',
  ],
  ...[
    'if',
    'else',
    'end',
    'range',
    'with',
    'define',
    'template',
    'block',
    'break',
    'nil',
    'true',
    'len',
    'index',
    'printf',
    '/*',
    '*/',
    'é',
  ],
);

it('any text and any value end in a text or a template error', () => {
  const source = fc.oneof(
    fc.array(pieces).map((list) => list.join('')),
    fc.string(),
  );
  fc.assert(
    fc.property(source, fc.jsonValue(), (text, data) => {
      try {
        expect(typeof renderTemplate(text, data as Value)).toBe('string');
      } catch (error) {
        expect(error).toBeInstanceOf(TemplateError);
        expect((error as Error).message).toMatch(/^template: :\d+:/);
      }
    }),
    { numRuns: 3_000 },
  );
});

it('text without an action comes out as it went in, and text values as they are', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, value) => {
      fc.pre(!text.includes('{{'));
      expect(renderTemplate(`${text}{{.A}}`.replace('{{{', '{ {{'), { A: value })).toBe(
        `${text}{{.A}}`.replace('{{{', '{ {{').replace('{{.A}}', () => value),
      );
    }),
  );
});

it('a range prints every element once, in order, and printf %d of an integer is the integer', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), (list) => {
      expect(renderTemplate('{{range .}}{{printf "%d" .}},{{end}}', list)).toBe(
        list.map((item) => `${item},`).join(''),
      );
    }),
  );
});

it('eq is reflexive and lt, eq and gt exclude one another', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (a, b) => {
      const answers = renderTemplate('{{lt .a .b}} {{eq .a .b}} {{gt .a .b}} {{eq .a .a}}', { a, b }).split(' ');
      expect(answers.slice(0, 3).filter((answer) => answer === 'true')).toHaveLength(1);
      expect(answers[3]).toBe('true');
    }),
  );
});
