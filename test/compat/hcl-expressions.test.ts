// Every recorded expression: its text and type, or the positions of all its problems.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  Budget,
  convert,
  type EvalContext,
  type Expression,
  evaluate,
  objectValue,
  parseNative,
  runtimeInterpolation,
  type SourceRange,
  standardFunctions,
  startRange,
  stringType,
  typeText,
  type Value,
} from '../../src/hcl/index.ts';
import { nodeFunctionHost } from '../../src/lib/node/hcl-functions.ts';

interface Case {
  readonly id: string;
  readonly wrap: 'json' | 'raw';
  readonly expr: string;
  readonly text?: string;
  readonly type?: string;
  readonly error?: readonly {
    line: number;
    col: number;
    endLine: number;
    endCol: number;
    severity: string;
    why: string;
  }[];
}

const repository = path.resolve(import.meta.dirname, '../..');
const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(repository, '../shared/goldens');
const folder = path.join(goldens, 'hcl');
const file = path.join(folder, 'expressions.jsonl');
const present = existsSync(file);

const source = (item: Case): string => {
  const value = item.wrap === 'raw' ? item.expr : `jsonencode(\n${item.expr}\n)`;
  return `job "e" {\n  meta {\nv = ${value}\n  }\n}\n`;
};

const context: EvalContext = {
  functions: standardFunctions(nodeFunctionHost({ workingDirectory: folder })),
  variables: new Map([
    ['var', objectValue(new Map())],
    ['local', objectValue(new Map())],
  ]),
  undefinedVariable: runtimeInterpolation,
  budget: new Budget(1e12),
};

const place = (range: SourceRange): string =>
  `${range.startLine},${range.startColumn}-${range.endLine},${range.endColumn}`;

/** What a job's `meta` makes of the value: a text, or one more problem at its expression. */
function decode(expr: Expression, value: Value): { text: string } | { problem: string } {
  const result = convert(value, stringType);
  if (result.error === undefined && result.value.state === 'known') return { text: result.value.data as string };
  return { problem: place(startRange(expr)) };
}

interface Outcome {
  readonly text?: string;
  readonly type?: string;
  readonly problems: string[];
}

function run(item: Case): Outcome {
  const { body, diagnostics } = parseNative(source(item), 'e.nomad.hcl');
  if (diagnostics.length > 0) return { problems: diagnostics.map((one) => place(one.subject)).sort() };
  const { expr } = body.blocks[0]!.body.blocks[0]!.body.attributes.get('v')!;
  const { value, diagnostics: found } = evaluate(expr, context);
  const problems = found.map((one) => place(one.subject));
  const decoded = decode(expr, value);
  if ('problem' in decoded) problems.push(decoded.problem);
  if (problems.length > 0 || 'problem' in decoded) return { problems: problems.sort() };
  if (item.wrap === 'raw' || expr.kind !== 'call') return { text: decoded.text, problems };
  return { text: decoded.text, type: typeOf(evaluate(expr.args[0]!, context).value), problems };
}

function typeOf(value: Value): string {
  if (value.state !== 'null') return typeText(value.type);
  return value.type.kind === 'dynamic' ? 'null' : `null:${typeText(value.type)}`;
}

function difference(item: Case): string | undefined {
  const got = run(item);
  if (item.error !== undefined) {
    const want = item.error.map((one) => `${one.line},${one.col}-${one.endLine},${one.endCol}`).sort();
    if (want.join(' | ') === got.problems.join(' | ')) return undefined;
    return `want problems ${want.join(' | ')}, got ${got.problems.join(' | ') || got.text}`;
  }
  if (got.text !== item.text) return `want ${item.text}, got ${got.text ?? `problems ${got.problems.join(' | ')}`}`;
  return item.wrap === 'json' && got.type !== item.type ? `want type ${item.type}, got ${got.type}` : undefined;
}

describe.skipIf(!present)(
  `recorded expressions (${present ? file : 'skipped: the goldens are not there; set DROVER_GOLDENS'})`,
  () => {
    it('have the same value, type and problem positions', () => {
      const cases = readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Case);
      const wanted = JSON.parse(readFileSync(path.join(import.meta.dirname, 'expected-hcl.json'), 'utf8')) as Record<
        string,
        string
      >;
      const differing = new Map<string, string>();
      for (const item of cases) {
        const found = difference(item);
        if (found !== undefined) differing.set(item.id, `${item.id} ${JSON.stringify(item.expr)}: ${found}`);
      }
      const expected = Object.keys(wanted).filter((id) => differing.has(id)).length;
      console.log(
        `expressions: ${cases.length - differing.size}/${cases.length} match, ${expected} differ as expected`,
      );
      expect([...differing].filter(([id]) => wanted[id] === undefined).map(([, text]) => text)).toEqual([]);
      expect(
        Object.keys(wanted).filter((id) => !differing.has(id)),
        'listed, but does not differ',
      ).toEqual([]);
    });
  },
);
