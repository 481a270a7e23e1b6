import { describe, expect, it } from 'vitest';
import { parseNative, renderDiagnostic, tellingDiagnostics } from './index.ts';

const shown = (source: string): string[] => {
  const { diagnostics } = parseNative(source, 'f.hcl');
  return tellingDiagnostics(diagnostics).map((item) => `${item.subject} ${item.detail}`);
};

describe('a problem that is shown', () => {
  it('has carets under wide characters, and no control characters of the file', () => {
    const { diagnostics } = parseNative('\ta = "日本\u001b[31m" @ 1\n', 'f.hcl');
    expect(renderDiagnostic(diagnostics[0]!).split('\n').slice(2, 4)).toEqual([
      '  1 | \ta = "日本␛[31m" @ 1',
      `    | \t${' '.repeat(16)}^`,
    ]);
  });

  it('is the first of several at one place', () => {
    expect(shown("a = 'b'\n")).toEqual(['f.hcl:1,5-6 strings are enclosed in double quotes, not in single ones']);
    expect(shown('a = 1;\n')).toHaveLength(1);
  });

  it('is told once of a quote that is not closed, however many lines it swallows', () => {
    expect(shown('a = "b\nc = 1\nd = 2\n')).toHaveLength(1);
    expect(parseNative('a = "b\nc = 1\nd = 2\n', 'f').diagnostics.length).toBeGreaterThan(2);
    expect(shown('a = "b\n"\nc = "d\n"\n')).toHaveLength(2);
  });

  it.each([
    ['a: 1\n', 'write "=" instead of ":"'],
    ['a = ${b}\n', 'stands inside of quotes'],
    ['a\u00a0= 1\n', 'no-break space'],
    ['a = "b"\r\rc = 1\r', 'carriage return'],
    ['a = §\n', '"§" (U+00A7)'],
    ['a = <<EOT\nx\n', 'the heredoc that starts on line 1 is not ended: "EOT"'],
    ['a {\n}\n}\n', 'this "}" closes nothing'],
    ['a = [for x in y : x\n', 'a "]" must end'],
  ])('%j: says %j', (source, words) => {
    expect(shown(source).join('\n')).toContain(words);
  });

  it('names the brace that stands under another line than it closes', () => {
    const [problem] = shown('job "a" {\n  group "g" {\n    task "t" {\n      driver = "exec"\n  }\n}\n');
    expect(problem).toContain('The "}" on line 5 closes "task" of line 3');
    expect(shown('a {\n  b = 1\n')[0]).not.toContain('look there first');
  });
});
