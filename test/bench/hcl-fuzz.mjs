#!/usr/bin/env node
// Endless input for the HCL language and the job file decoder: recorded and example files with pieces changed, and texts made of bits
// of the grammar. Whatever it is: no exception, problems with places inside of the text and with words, each input within its time.
//
//   node test/bench/hcl-fuzz.mjs [-inputs=100000] [-seed=N] [-minutes=N] [-report=FILE]
//
// DROVER_GOLDENS: recorded job files (default ../shared/goldens beside the repository); DROVER_DIST: compiled sources (default dist).
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
const option = (name, otherwise) =>
  process.argv.find((word) => word.startsWith(`-${name}=`))?.slice(name.length + 2) ?? otherwise;
const dist = resolve(process.env.DROVER_DIST ?? join(root, 'dist'));
const load = (path) => import(pathToFileURL(join(dist, path)).href);
const hcl = await load('hcl/index.js');
const { parseJob } = await load('jobspec/index.js');

const seed = Number(option('seed', String(Date.now() % 1_000_000_000)));
const wanted = Number(option('inputs', '100000'));
const deadline = Date.now() + Number(option('minutes', '100000')) * 60_000;
/** One input may take this long: at most a few kilobytes each, on a busy machine. */
const slowestMs = 3000;

let state = seed | 0;
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let x = Math.imul(state ^ (state >>> 15), 1 | state);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];

const goldens = process.env.DROVER_GOLDENS ?? resolve(root, '../shared/goldens');
const folders = [join(root, 'examples'), join(goldens, 'jobs'), join(goldens, 'jobs-invalid')].filter(existsSync);
const files = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.hcl'))
    .map((name) => readFileSync(join(folder, name), 'utf8')),
);
const recorded = join(goldens, 'hcl/expressions.jsonl');
const expressions = existsSync(recorded)
  ? readFileSync(recorded, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).expr)
  : ['"${a.b[0]} %{ if x ~} y %{ endif }"', '{for k, v in {a = [1]} : k => v... if k != ""}'];
const pieces = [
  ...'{ } [ ] ( ) " ${ %{ ~} <<E <<-E E , = : :: ... => ? # // /* */ . * [*] for in if else endif endfor x 1 1.5 \\ $ % é - ! && @ ; null'.split(' '),
  '\n', '\r\n', '\r', ' ', '\t', '\0', '\ufeff', '\u0301', '👨‍👩‍👧', '\ud800', 'job "a" {', 'group "g" {', 'task "t" {', 'dynamic "x" {', 'content {',
  'for_each = ', 'variable "v" {', 'locals {', 'var.v', 'local.a', 'jsonencode(', 'format("%s",', '1e999', '99999999999999999999', 'range(', 'null',
];

function damaged(text) {
  let result = text;
  for (let count = random(4); count >= 0; count--) {
    const at = random(result.length + 1);
    const kind = random(6);
    if (kind === 0) result = result.slice(0, at) + pick(pieces) + result.slice(at);
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1 + random(8));
    else if (kind === 2) result = result.slice(0, at) + pick(pieces) + result.slice(at + 1);
    else if (kind === 3) result = result.slice(0, at);
    else if (kind === 4) result = result.slice(0, at) + pick(expressions) + result.slice(at);
    else result = result.slice(0, at) + result.slice(at, at + random(40)).repeat(random(4)) + result.slice(at);
  }
  return result;
}

function grammar(depth) {
  if (depth === 0) return pick(expressions).slice(0, 200);
  const inner = () => grammar(depth - 1);
  switch (random(9)) {
    case 0:
      return `[${inner()}, ${inner()}]`;
    case 1:
      return `{ a = ${inner()}\n(${inner()}) = ${inner()} }`;
    case 2:
      return `"x\${${inner()}}%{ if ${inner()} }y%{ endif }"`;
    case 3:
      return `[for k, v in ${inner()} : ${inner()} if ${inner()}]`;
    case 4:
      return `(${inner()} ? ${inner()} : ${inner()})`;
    case 5:
      return `${inner()}[${inner()}]`;
    case 6:
      return `${pick(['upper', 'concat', 'merge', 'format', 'jsonencode', 'yamldecode', 'formatdate', 'cidrsubnet', 'convert'])}(${inner()}, ${inner()})`;
    case 7:
      return `${inner()} ${pick(['+', '-', '*', '/', '%', '==', '<', '&&', '||'])} ${inner()}`;
    default:
      return `<<-E\n  ${inner()}\n  E\n`;
  }
}

function nextInput() {
  switch (random(12)) {
    case 0:
      return damaged(pick(files));
    case 1: {
      const file = pick(files);
      const at = random(file.length);
      return damaged(file.slice(at, at + 400));
    }
    case 2:
      return `job "a" {\n  meta {\n    v = ${grammar(1 + random(2))}\n  }\n}\n`;
    case 3: {
      const bytes = new Uint8Array(random(200));
      for (let i = 0; i < bytes.length; i++) bytes[i] = random(256);
      return bytes;
    }
    case 4:
    case 5: {
      let text = '';
      for (let count = random(40); count > 0; count--) text += pick(pieces);
      return text;
    }
    case 6:
      return `{"job": {"a": ${JSON.stringify({ meta: { v: pick(expressions) } }).slice(0, random(120))}`;
    default:
      return `a = ${damaged(pick(expressions))}\nb {\n c = ${random(2) ? pick(expressions) : ''}\n}\n`;
  }
}

function check(diagnostics, size) {
  for (const { summary, detail, subject } of diagnostics) {
    if (!summary || !detail) throw new Error('a problem without words');
    if (subject === undefined) throw new Error(`a problem without a place: ${summary}`);
    const { start, end } = subject;
    if (start.byte < 0 || end.byte > size || start.byte > end.byte || start.line < 1 || start.column < 1 || end.line < start.line)
      throw new Error(`a place outside of the text: ${JSON.stringify([start, end])}, ${size} bytes`);
  }
}

const functions = hcl.standardFunctions({});
const size = (input) => (typeof input === 'string' ? Buffer.byteLength(input) : input.length);

function evaluateAll(body, length) {
  for (const { expr } of hcl.justAttributes(body).attributes.values()) {
    const context = { functions, undefinedVariable: hcl.runtimeInterpolation, budget: new hcl.Budget(20_000) };
    check(hcl.evaluate(expr, context).diagnostics, length);
  }
  for (const block of body.blocks) evaluateAll(block.body, length);
}

function tryOne(input) {
  const length = size(input);
  if (random(3) === 0) {
    const { job, diagnostics } = parseJob({ source: input, filename: 'f' });
    check(diagnostics, length);
    if (job === null && diagnostics.length === 0) throw new Error('no job and no problem');
    return;
  }
  const { body, diagnostics } = hcl.parse(input, 'f');
  check(diagnostics, length);
  if (diagnostics.length === 0) evaluateAll(body, length);
  if (typeof input === 'string' && random(4) === 0) hcl.format(input);
}

let done = 0;
let slowest = 0;
const started = Date.now();
process.on('SIGINT', finish);
process.on('SIGTERM', finish);

function finish() {
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  const line = `${new Date().toISOString()} seed ${seed}: ${done} inputs in ${seconds} s, slowest ${slowest.toFixed(0)} ms, no failure\n`;
  process.stdout.write(line);
  const report = option('report', '');
  if (report !== '') appendFileSync(report, line);
  process.exit(0);
}

while (done < wanted && Date.now() < deadline) {
  const input = nextInput();
  const at = process.cpuUsage();
  try {
    tryOne(input);
  } catch (error) {
    console.error(`seed ${seed}, input ${done}: ${JSON.stringify(typeof input === 'string' ? input : [...input])}\n${error.stack}`);
    process.exit(1);
  }
  const used = process.cpuUsage(at);
  const ms = (used.user + used.system) / 1000;
  slowest = Math.max(slowest, ms);
  if (ms > slowestMs) {
    console.error(`seed ${seed}, input ${done}: ${ms} ms: ${JSON.stringify(typeof input === 'string' ? input : [...input])}`);
    process.exit(1);
  }
  done++;
  // Lets signals in now and then.
  if (done % 1000 === 0) await new Promise((resume) => setImmediate(resume));
}
finish();
