// Whatever the input: no exception, no hang, positions inside of the text, never an empty message.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Body,
  Budget,
  type Diagnostic,
  evaluate,
  format,
  justAttributes,
  parse,
  parseHcl1,
  parseNative,
  renderDiagnostic,
  runtimeInterpolation,
  standardFunctions,
} from './index.ts';

const pieces =
  '{ } [ ] ( ) " ${ %{ ~} <<E <<-E E \n \r\n \r , = : :: ... => ? # // /* */ . * [*] for in if else endif endfor x 1 1.5 \\ $ % é - ! && @ ; null'.split(
    ' ',
  );
const soup = fc
  .array(fc.constantFrom(...pieces, ' ', '\t', '\u0301', '👨‍👩‍👧', '\0', '\ufeff'), { maxLength: 60 })
  .map((parts) => parts.join(''));
const functions = standardFunctions({});
const context = { functions, variables: new Map(), undefinedVariable: runtimeInterpolation };

function checkDiagnostics(diagnostics: readonly Diagnostic[], size: number): void {
  for (const item of diagnostics) {
    expect(item.summary).not.toBe('');
    expect(item.detail).not.toBe('');
    const { start, end } = item.subject;
    expect(start.byte).toBeGreaterThanOrEqual(0);
    expect(end.byte).toBeLessThanOrEqual(size);
    expect(start.byte).toBeLessThanOrEqual(end.byte);
    expect(Math.min(start.line, start.column, end.line, end.column)).toBeGreaterThan(0);
    renderDiagnostic(item);
  }
}

function evaluateAll(body: Body, size: number): void {
  for (const { expr } of justAttributes(body).attributes.values()) {
    checkDiagnostics(evaluate(expr, { ...context, budget: new Budget(20_000) }).diagnostics, size);
  }
  for (const block of body.blocks) evaluateAll(block.body, size);
}

function tryEverything(source: string | Uint8Array): void {
  const size = typeof source === 'string' ? new TextEncoder().encode(source).length : source.length;
  for (const read of [parse, parseNative, parseHcl1]) {
    const { body, diagnostics } = read(source, 'f');
    checkDiagnostics(diagnostics, size);
    if (diagnostics.length === 0) evaluateAll(body, size);
  }
  if (typeof source !== 'string') return;
  const formatted = format(source);
  if (parseNative(source, 'f').diagnostics.length === 0) expect(format(formatted)).toBe(formatted);
}

const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(import.meta.dirname, '../../../shared/goldens');
const recorded = path.join(goldens, 'hcl/expressions.jsonl');
const expressions = existsSync(recorded)
  ? readFileSync(recorded, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { expr: string }).expr)
  : [
      '"${a.b[0]} %{ if x ~} y %{ endif }"',
      '{for k, v in {a = [1]} : k => v... if k != ""}',
      '<<-E\n  ${x}\n  E\n',
      'f(a..., b ? -c : !d)[*].e',
    ];

describe('any input', () => {
  it('of bits of the language', () => {
    fc.assert(
      fc.property(soup, (text) => tryEverything(text)),
      { numRuns: 1500 },
    );
  });

  it('of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => tryEverything(bytes)),
      { numRuns: 500 },
    );
  });

  it('of expressions that are cut off or changed', () => {
    const changed = fc.tuple(fc.constantFrom(...expressions), fc.nat(), fc.nat(), fc.constantFrom(...pieces, ''));
    fc.assert(
      fc.property(changed, ([expr, from, length, piece]) => {
        const at = from % (expr.length + 1);
        const text = `${expr.slice(0, at)}${piece}${expr.slice(at + (length % 4))}`;
        tryEverything(`a = ${text}\n`);
        tryEverything(`a {\n  b = f(${text.slice(0, at)}`);
      }),
      { numRuns: 1500 },
    );
  });

  it('of nested brackets, braces and templates without end', () => {
    for (const piece of [
      '[',
      '{',
      '(',
      '"${',
      '%{if x}',
      '{a=',
      'a?b:',
      '[*]',
      '-',
      '!',
      'f(',
      '/*',
      '<<A\n',
      '"',
      '$',
      '}',
    ]) {
      for (const head of ['', 'a = ', 'a = "', 'a {\n']) {
        const { diagnostics } = parse(head + piece.repeat(20_000), 'f');
        expect(diagnostics.length).toBeGreaterThan(0);
        parseHcl1(head + piece.repeat(20_000), 'f');
      }
    }
  });
});
