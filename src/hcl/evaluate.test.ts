import { describe, expect, it } from 'vitest';
import { evaluate, jsonText, parseExpression, standardFunctions } from './index.ts';

const functions = standardFunctions({});

function run(text: string): { value: string | undefined; problems: string[] } {
  const { expr, diagnostics } = parseExpression(text, 'f');
  expect(diagnostics).toEqual([]);
  const result = evaluate(expr, { functions });
  return {
    value: result.diagnostics.length === 0 ? jsonText(result.value) : undefined,
    problems: result.diagnostics.map((item) => `${item.subject} ${item.summary}`),
  };
}

// Each of these once had another answer than HashiCorp's library.
describe('evaluate', () => {
  const long = `0.225${'0'.repeat(149)}1`;

  it('keeps every digit of a fraction until it is rounded', () => {
    expect(run(long).value).toBe(long);
    expect(run(`abs("-${long}")`).value).toBe(long);
    expect(run(`${long} == 0.225`).value).toBe('false');
  });

  it('finds the type of a conditional when the arm that is not taken failed in part', () => {
    const failed = '{ a = upper(), b = convert({}, map(string)) }';
    expect(run(`false ? ${failed} : convert({ k = 2 }, map(string))`)).toEqual({ value: '{"k":"2"}', problems: [] });
  });

  it('refuses a set of lists whose elements came to different types', () => {
    const failed = 'convert([{ a = 1 }], list(object({ a = number })))[*].b';
    const { problems } = run(`setunion([${failed}, convert(["a"], set(string))], [1])`);
    expect(problems.map((item) => item.replace(/^\S+ /, ''))).toEqual([
      'Unsupported attribute',
      'Invalid function argument',
    ]);
  });

  it('knows what both arms have in common when the condition failed', () => {
    const summaries = (text: string): string[] => run(text).problems.map((item) => item.replace(/^\S+ /, ''));
    expect(summaries('[for x in (nope ? null : null) : x]')).toEqual([
      'Variables not allowed',
      'Iteration over null value',
    ]);
    expect(summaries('"x${nope ? convert(["a"], list(string)) : convert(["b"], list(string))}"')).toEqual([
      'Variables not allowed',
      'Invalid template interpolation value',
    ]);
  });

  it('reports a cost that is no number of 64 bits, as any other mistake of an argument', () => {
    expect(run('bcrypt("x", 99999999999999999999)').problems).toHaveLength(1);
  });

  it('checks what a splat asks of elements that are not known', () => {
    expect(run('setproduct([], ["x", 1])[*][*].b').problems).toEqual(['f:1,31-33 Unsupported attribute']);
  });

  it.each([
    ['concat(distinct([null]), convert([{ a = 1 }], list(object({ a = number }))))', '[null,{"a":1}]'],
    ['merge(null, [])', '{}'],
    ['merge(null, convert(["k"], set(string)))', '{"k":"k"}'],
  ])('%s', (text, value) => {
    expect(run(text)).toEqual({ value, problems: [] });
  });
});
