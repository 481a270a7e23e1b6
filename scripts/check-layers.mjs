#!/usr/bin/env node
// Imports only downward (the floors of ARCHITECTURE.md), no cycles, nothing impure on the pure floors, no paths into tasks' trees.
import { sourceFiles } from './lib/source-files.mjs';

const floors = [
  ['lib'],
  ['hcl'],
  ['model'],
  ['jobspec', 'scheduler', 'driver', 'api-client'],
  ['lib/node'],
  ['isolation', 'supervise', 'state', 'job'],
  ['driver-kit'],
  ['drivers', 'server', 'client'],
  ['api'],
  ['agent'],
  ['cli'],
];
const pureFloors = new Set(['lib', 'hcl', 'model', 'jobspec', 'scheduler', 'driver', 'api-client']);
const driverMayImport = new Set(['driver', 'driver-kit', 'isolation', 'supervise', 'lib', 'lib/node', 'drivers']);
// The one meeting place of server and client: declared by the client, implemented by the server.
const meetings = new Set(['server → client/server-connection.ts']);
const impure =
  /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.now\(|\bprocess\.(?!emitWarning)|\bsetTimeout\(|\bsetInterval\(/;
/** Node's own calls by path follow a link that a task has put there: what is in a task's tree goes through lib/node/safe-path.ts. */
const byPathInTaskTree = new RegExp(
  String.raw`\b(?:access|append|chmod|chown|copy|cp|create(?:Read|Write)Stream|exists|l?stat|link|lchown|mkdir|open|opendir|read|readdir|rename|rm|rmdir|symlink|truncate|unlink|utimes|watch|write)(?:File)?(?:Sync)?` +
    String.raw`\((?:join\()?[\w.#!]*\bdirectories\.(?:allocation|shared|task|local|secrets|private|tmp|logs)\b`,
);

const rank = new Map(floors.flatMap((names, index) => names.map((name) => [name, index])));
const folderOf = (path) => (path.startsWith('lib/node/') ? 'lib/node' : path.split('/')[0]);
const problems = [];
const files = sourceFiles();
const byPath = new Map(files.map((file) => [file.path, file]));

for (const file of files) {
  const from = folderOf(file.path);
  if (!rank.has(from))
    problems.push(`src/${file.path}: folder "${from}" stands on no floor; add it to scripts/check-layers.mjs`);
  for (const { to, line } of file.imports) {
    const place = `src/${file.path}:${line}`;
    if (to.startsWith('node:')) {
      if (pureFloors.has(from) && !file.isTest) problems.push(`${place}: ${from} is pure and must not import ${to}`);
      continue;
    }
    if (!to.endsWith('.ts')) continue;
    const target = folderOf(to);
    if (target === from) continue;
    if (meetings.has(`${from} → ${to}`)) continue;
    if (file.isTest && rank.get(target) <= rank.get('driver-kit')) continue; // a test may use a real store or runner of the lower floors
    if (from === 'drivers' && !driverMayImport.has(target)) problems.push(`${place}: a driver must not import ${to}`);
    if (!(rank.get(target) < rank.get(from)))
      problems.push(`${place}: ${from} must not import ${to} (imports go only downward)`);
  }
  if (pureFloors.has(from) && !file.isTest) {
    file.text.split('\n').forEach((line, index) => {
      const code = line.replace(/\/\/.*$|^\s*\*.*$|^\s*\/\*.*$/, '');
      const match = impure.exec(code);
      if (match) problems.push(`src/${file.path}:${index + 1}: ${from} is pure: no ${match[0]}`);
    });
  }
}

for (const file of files) {
  // tests, and what they stand on, read what their own tasks wrote
  if (file.isTest || /\/scratch-|-test-kit\.ts$/.test(file.path)) continue;
  for (const [index, line] of file.text.split('\n').entries()) {
    const call = byPathInTaskTree.exec(line)?.[0];
    if (call !== undefined)
      problems.push(
        `src/${file.path}:${index + 1}: ${call}…: a task may have put a link there; lib/node/safe-path.ts follows none`,
      );
  }
}

// Cycles (type-only imports vanish at run time and may point both ways within one folder).
const state = new Map();
const stack = [];
function visit(path) {
  if (state.get(path) === 'done') return;
  if (state.get(path) === 'open') {
    problems.push(
      `import cycle: ${[...stack.slice(stack.indexOf(path)), path].map((name) => `src/${name}`).join(' → ')}`,
    );
    return;
  }
  state.set(path, 'open');
  stack.push(path);
  for (const { to, typeOnly } of byPath.get(path)?.imports ?? []) if (!typeOnly && byPath.has(to)) visit(to);
  stack.pop();
  state.set(path, 'done');
}
for (const file of files) visit(file.path);

for (const problem of problems) console.error(problem);
console.log(`layers: ${files.length} files, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
