import { describe, expect, it } from 'vitest';
import {
  evaluate,
  formatDiagnostic,
  jsonText,
  parse,
  parseExpression,
  renderDiagnostic,
  runtimeInterpolation,
} from './index.ts';

const problems = (text: string): string[] =>
  parse(text, 'a.hcl').diagnostics.map((item) => item.subject.toString().slice(6));

const jsonOf = (text: string): string | undefined => {
  const { expr, diagnostics } = parseExpression(text, 'a.hcl');
  expect(diagnostics.map(formatDiagnostic)).toEqual([]);
  const result = evaluate(expr, { variables: new Map(), undefinedVariable: runtimeInterpolation });
  expect(result.diagnostics.map(formatDiagnostic)).toEqual([]);
  return jsonText(result.value);
};

describe('parse', () => {
  it('gives attributes and blocks with labels and ranges', () => {
    const { body, diagnostics } = parse('job "web" {\n  count = 2\n  group api { x = 1 }\n}\n', 'a.hcl');
    expect(diagnostics).toEqual([]);
    const job = body.blocks[0]!;
    expect(job.labels).toEqual(['web']);
    expect(job.labelRanges[0]!.toString()).toBe('a.hcl:1,5-10');
    expect(job.body.attributes.get('count')!.range.toString()).toBe('a.hcl:2,3-12');
    expect(job.body.attributes.get('count')!.range.start).toEqual({ line: 2, column: 3, byte: 14 });
    expect(job.body.blocks[0]!.labels).toEqual(['api']);
  });

  it('counts columns in grapheme clusters and bytes in UTF-8', () => {
    const attribute = parse('x = ["👨‍👩‍👧", y]\n', 'a.hcl').body.attributes.get('x')!;
    const { expr } = attribute;
    expect(expr.kind === 'tuple' && expr.items[1]!.range.start).toEqual({ line: 1, column: 11, byte: 27 });
  });

  it('reports a block that is never closed at its brace', () => {
    expect(problems('a {\n  b = 1\n')).toEqual(['1,3-4']);
  });

  it('goes on after a mistake and reports the next one', () => {
    expect(problems('a = \nb = 1\nb = 2\n')).toEqual(['1,5-2,1', '3,1-2']);
  });

  it('shows the line with a caret under the place', () => {
    const text = renderDiagnostic(parse('a = 1 2\n', 'a.hcl').diagnostics[0]!);
    expect(text).toContain('  1 | a = 1 2\n    |       ^\n');
  });

  it('stops at the nesting limit with one problem', () => {
    expect(problems(`a = ${'['.repeat(100_000)}`)).toHaveLength(1);
    expect(problems('a {\n'.repeat(100_000))).toHaveLength(1);
    expect(problems(`a = ${'-'.repeat(100_000)}1`)).toHaveLength(1);
  });

  it('evaluates long sums without nesting', () => {
    expect(jsonOf(`1${' + 1'.repeat(50_000)}`)).toBe('50001');
  });
});

describe('evaluate', () => {
  it.each([
    ['0.1 + 0.2', '0.3'],
    ['<<-E\n   a\n     b\n   E\n', '"a\\n  b\\n"'],
    ['"x %{ if true ~}  a  %{~ endif } y"', '"x a y"'],
    ['{ for k, v in { a = 1 } : v => k... }', '{"1":["a"]}'],
    ['"${A} }"', '"${A} } }"'],
    ['[{ a = [1] }][*].a[0]', '[1]'],
  ])('%s is %s', (text, value) => {
    expect(jsonOf(text)).toBe(value);
  });

  it('ends a bomb of nested loops with a problem', () => {
    const list = `[${Array.from({ length: 1000 }, (_, i) => i).join(',')}]`;
    const { expr } = parseExpression(`[for a in ${list} : [for b in ${list} : [for c in ${list} : c]]]`, 'a.hcl');
    expect(evaluate(expr, {}).diagnostics[0]!.summary).toBe('Limit reached');
  });
});
