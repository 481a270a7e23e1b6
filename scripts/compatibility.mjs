#!/usr/bin/env node
// Writes docs/compatibility.md: how many recordings of the reference are matched, differ as expected, or are still to be met. The
// recordings compared are those that the last run of the tests in test/compat made (build/recordings).
//
//   npm run build && npx vitest run --project compat && node scripts/compatibility.mjs
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const goldens = process.env.DROVER_GOLDENS ?? resolve(root, '../shared/goldens');
const tools = process.env.DROVER_TOOLS ?? join(dirname(goldens), 'tools');
const scratch = mkdtempSync(join(tmpdir(), 'drover-compatibility-'));
const titles = { api: 'HTTP API', cli: 'Command line', runtime: 'Tasks' };

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** Its output goes to a file: it is longer than a pipe holds. */
function run(args, env = {}) {
  const output = join(scratch, 'output');
  const descriptor = openSync(output, 'w');
  spawnSync(process.execPath, args, { stdio: ['ignore', descriptor, descriptor], env: { ...process.env, ...env } });
  return readFileSync(output, 'utf8');
}

function countsOf(line) {
  const [, match, total, wanted = '0'] = /(\d+)\/(\d+) match(?:, (\d+) differ as expected)?/.exec(line) ?? [];
  if (total === undefined) throw new Error(`no counts in ${JSON.stringify(line)}`);
  return { match: Number(match), total: Number(total), wanted: Number(wanted) };
}

/** Counts per group of one kind of recordings, in the order they were recorded. */
function* groups(kind) {
  const recording = join(root, 'build/recordings', kind);
  if (!existsSync(recording)) throw new Error(`${recording} is missing: run the tests in test/compat first`);
  const expected = readJson(join(root, 'test/compat', `expected-${kind}.json`));
  const files = new Map();
  for (const file of readdirSync(join(goldens, kind)).sort()) {
    if (!file.endsWith('.json')) continue;
    const { group = 'all', name } = readJson(join(goldens, kind, file));
    files.set(group, [...(files.get(group) ?? []), { file, name }]);
  }
  for (const [group, members] of files) {
    const folder = mkdtempSync(join(scratch, 'group-'));
    for (const { file } of members) copyFileSync(join(goldens, kind, file), join(folder, file));
    const names = new Set(members.map(({ name }) => name));
    const wanted = Object.fromEntries(Object.entries(expected).filter(([name]) => names.has(name)));
    const expectFile = join(scratch, 'expected.json');
    writeFileSync(expectFile, JSON.stringify(wanted));
    const compare = join(tools, 'compare-goldens.mjs');
    yield { group, ...countsOf(run([compare, kind, folder, recording, '--expect', expectFile])) };
  }
}

function* jobFiles() {
  const expected = join(root, 'test/compat/expected-check-jobs.json');
  const drover = `${process.execPath} ${join(root, 'bin/drover.js')}`;
  for (const [mode, group] of [
    ['jobs', 'job files that parse'],
    ['invalid', 'job files that do not'],
    ['expr', 'expressions with a value'],
    ['expr-errors', 'expressions with problems'],
  ]) {
    const wanted = Object.entries(readJson(expected)).filter(([name]) => name.startsWith(`${mode}/`));
    const expectFile = join(scratch, 'expected.json');
    writeFileSync(expectFile, JSON.stringify(Object.fromEntries(wanted)));
    const text = run([join(tools, 'check-jobs.mjs'), goldens, mode, `--expect=${expectFile}`], { DROVER: drover });
    yield { group, ...countsOf(text.split('\n').find((line) => / match/.test(line)) ?? text) };
  }
}

function table(title, rows) {
  const all = rows.reduce(
    (sum, row) => ({ match: sum.match + row.match, wanted: sum.wanted + row.wanted, total: sum.total + row.total }),
    { match: 0, wanted: 0, total: 0 },
  );
  const line = ({ group, match, wanted, total }) =>
    `| ${group} | ${match} | ${wanted} | ${total - match - wanted} | ${total} |`;
  const shown = rows.length > 1 ? rows : [];
  return [
    `## ${title}`,
    '| group | match | differ as expected | open | of |',
    '|---|---:|---:|---:|---:|',
    ...shown.map(line),
    line({ group: '**all**', ...all }),
    '',
  ].join('\n');
}

const recordedOn = (kind) =>
  statSync(join(root, 'build/recordings', kind))
    .mtime.toISOString()
    .slice(0, 10);

try {
  const kinds = Object.keys(titles);
  const tables = kinds.map((kind) => table(`${titles[kind]} (recorded ${recordedOn(kind)})`, [...groups(kind)]));
  const text = `# Compatibility, counted

Made by \`scripts/compatibility.mjs\`: what Drover answers and does in the sessions that Nomad 2.0 was recorded in. *Differ as
expected* are wanted differences and what is not served yet, each with its place and its reason in \`test/compat/expected-*.json\`; the
tests in \`test/compat\` fail for any other difference, and for an entry that no longer differs.

${tables.join('\n')}
${table('Job files', [...jobFiles()])}`;
  writeFileSync(join(root, 'docs/compatibility.md'), `${text.trimEnd()}\n`);
  console.log(text);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
