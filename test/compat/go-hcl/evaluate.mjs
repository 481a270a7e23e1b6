#!/usr/bin/env node
// The other side of differential_test.go: programs as JSON lines on standard input, outcomes on standard output, in order.
// DROVER_DIST: where the compiled sources are (default: dist of this repository).
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const dist = resolve(process.env.DROVER_DIST ?? join(import.meta.dirname, '../../../dist'));
const hcl = await import(pathToFileURL(join(dist, 'hcl/index.js')).href);
const { nodeFunctionHost } = await import(pathToFileURL(join(dist, 'lib/node/hcl-functions.js')).href);

const text = hcl.stringValue;
const number = (value) => hcl.numberValue(hcl.fromInteger(value));
const object = (entries) => hcl.objectValue(new Map(Object.entries(entries)));
const element = hcl.objectType(new Map([['a', hcl.stringType]]));
const local = object({
  a: number(1),
  d: hcl.dynamicUnknown,
  l: hcl.listValue([text('x'), text('y')], hcl.stringType),
  m: hcl.mapValue(new Map([['k', number(7)]]), hcl.numberType),
  n: hcl.nullValue(hcl.stringType),
  o: hcl.listValue([object({ a: text('1') }), object({ a: text('2') })], element),
  s: hcl.setValue([text('q'), text('b')], hcl.stringType),
  u: hcl.unknownValue(hcl.stringType),
});
const context = { functions: hcl.standardFunctions(nodeFunctionHost()), variables: new Map([['local', local]]) };

const place = ({ subject: at }) =>
  `${at.startLine},${at.startColumn},${at.startByte}-${at.endLine},${at.endColumn},${at.endByte}`;

function outcome(diagnostics) {
  return {
    problems: diagnostics.map(place),
    details: diagnostics.map((item) => `${item.summary}; ${item.detail}`),
  };
}

function run({ mode, text: source }) {
  if (mode === 'format') return { value: hcl.format(source), problems: [] };
  if (mode === 'file') return outcome(hcl.parseNative(source, 'f').diagnostics);
  const { expr, diagnostics } = (mode === 'template' ? hcl.parseTemplate : hcl.parseExpression)(source, 'f');
  if (diagnostics.length > 0) return outcome(diagnostics);
  const result = hcl.evaluate(expr, context);
  if (result.diagnostics.length > 0) return outcome(result.diagnostics);
  const known = hcl.isWhollyKnown(result.value);
  return {
    problems: [],
    type: hcl.typeText(result.value.type),
    value: known ? (hcl.jsonText(result.value) ?? 'no JSON') : 'unknown',
  };
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
  let answer;
  try {
    answer = run(JSON.parse(line));
  } catch (error) {
    answer = { problems: [], panic: String(error.stack) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
