#!/usr/bin/env node
// Sizes and order of the house: short files and functions, no file that nobody imports, a README in every folder.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root, sourceFiles } from './lib/source-files.mjs';

const maximumFileLines = 500;
const maximumFunctionLines = 70;
/** Files that are entered from outside src: package exports, bin, scripts, processes of their own. */
const exported = Object.values(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports);
const entries = new Set([
  'cli/main.ts',
  ...exported.map((path) => path.replace('./dist/', '').replace(/\.js$/, '.ts')),
]);
const exemptions = JSON.parse(readFileSync(join(root, 'scripts/tidy-exemptions.json'), 'utf8'));
const used = new Set();
const problems = [];

function report(rule, path, message) {
  const reason = exemptions[rule]?.[path];
  if (reason !== undefined) used.add(`${rule} ${path}`);
  else problems.push(`src/${path}: ${message}`);
}

const files = sourceFiles();
const imported = new Set(files.filter((file) => !file.isTest).flatMap((file) => file.imports.map(({ to }) => to)));

for (const file of files) {
  const lines = file.text.split('\n').length - 1;
  if (lines > maximumFileLines && !file.isTest)
    report('file', file.path, `${lines} lines (at most ${maximumFileLines})`);
  if (!file.isTest && !imported.has(file.path) && !entries.has(file.path))
    report('unused', file.path, 'nobody imports this file');
  const name = file.path.split('/').at(-1);
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(name)) report('name', file.path, 'file names are kebab-case');
  if (/^(utils?|helpers?|common|types)\.ts$/.test(name)) report('name', file.path, 'name a file after what it exports');
  if (!file.isTest && /mkdir(Sync)?\(.*recursive: true/.test(file.text))
    report('mkdir', file.path, 'makeDirectories of lib/node in place of recursive mkdir, which never ends below /proc');
  if (!file.isTest)
    for (const [start, length] of longFunctions(file.text))
      report('function', file.path, `function at line ${start} has ${length} lines (at most ${maximumFunctionLines})`);
}
for (const folder of new Set(files.map((file) => dirname(file.path)))) {
  const depth = folder.split('/').length;
  if (depth <= 2 && !existsSync(join(root, 'src', folder, 'README.md')))
    report('readme', folder, 'the folder has no README.md');
}
// a poll of vitest's own belongs to whichever test ends next
for (const folder of ['src', 'test', 'examples/plugins'])
  for (const { path, text, isTest } of sourceFiles(folder))
    if (isTest && /\.concurrent\b|\bconcurrent: true/.test(text) && /\{[^}]*\bexpect\b[^}]*\} from 'vitest'/.test(text))
      problems.push(`${folder}/${path}: tests side by side take expect from their own context, not from vitest`);
// docs/adr/0014-how-big-the-supervisor-may-be.md
const maximumShimLines = 2400;
const maximumShimFileLines = 430;
const shim = join(root, 'native/shim');
let shimLines = 0;
for (const name of readdirSync(shim).filter((each) => /\.[ch]$/.test(each))) {
  const text = readFileSync(join(shim, name), 'utf8');
  const lines = text.split('\n').length - 1;
  if (lines > maximumShimFileLines)
    problems.push(`native/shim/${name}: ${lines} lines (at most ${maximumShimFileLines})`);
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
  shimLines += code.split('\n').filter((line) => line.trim() !== '').length;
}
if (shimLines > maximumShimLines)
  problems.push(`native/shim: ${shimLines} lines of code (at most ${maximumShimLines})`);
for (const [rule, paths] of Object.entries(exemptions))
  for (const path of Object.keys(paths))
    if (!used.has(`${rule} ${path}`))
      problems.push(`scripts/tidy-exemptions.json: ${rule} ${path} is no longer needed`);

/** Functions and methods by indentation: the formatter guarantees that a body ends with a brace in the column of its first line. */
function* longFunctions(text) {
  const lines = text.split('\n');
  const opening =
    /^(\s*)(?:export )?(?:default )?(?:(?:async )?function\*? |(?:static |readonly |override )*(?:async )?\*?#?[\w$]+(?:<[^>]*>)?\([^;]*(?:\{|\()$|(?:const|let) \w+ = (?:async )?(?:\([^;]*\)|\w+)(?:: [^=]+)? =>)/;
  for (let index = 0; index < lines.length; index++) {
    const match = opening.exec(lines[index]);
    if (!match || /^\s*(?:if|for|while|switch|return|else|describe|it|test)\b/.test(lines[index])) continue;
    const end = lines.findIndex((line, at) => at > index && new RegExp(`^${match[1]}\\}`).test(line));
    if (end - index + 1 > maximumFunctionLines) yield [index + 1, end - index + 1];
  }
}

const sizes = files
  .filter((file) => !file.isTest)
  .map((file) => file.text.split('\n').length - 1)
  .sort((a, b) => a - b);
for (const problem of problems) console.error(problem);
console.log(`tidy: ${sizes.length} files, median ${sizes[sizes.length >> 1]} lines, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
