// `drover/hcl` and `drover/jobspec` alone: nothing of Node, as in a browser; and in a project that has only the packed package.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const dist = path.join(root, 'dist');
const folder = mkdtempSync(path.join(tmpdir(), 'drover-alone-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything that a module loads, and the packages among it. */
function loadedBy(entry: string): { files: ReadonlySet<string>; packages: ReadonlySet<string> } {
  const [files, packages, open] = [new Set<string>(), new Set<string>(), [entry]];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, from] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)) {
      if (from!.startsWith('.')) open.push(path.resolve(path.dirname(file), from!));
      else packages.add(from!);
    }
  }
  return { files, packages };
}

const use = `
const { job, diagnostics } = parseJob({ source: 'variable "n" {\\n  default = 2\\n}\\njob "a" {\\n  group "g" {\\n    count = var.n + 1\\n  }\\n}\\n', filename: 'a' });
const { expr } = parseExpression('yamldecode("a: [1, 2]").a[1] + length(split(",", upper("x,y")))', 'e');
const { value } = evaluate(expr, { functions: standardFunctions({}) });
console.log(JSON.stringify([job.TaskGroups[0].Count, diagnostics.length, jsonText(value), format('a=1\\n')]));
`;
const answer = '[3,0,"4","a = 1\\n"]\n';

describe.each(['hcl', 'jobspec'])('drover/%s', (name) => {
  it('loads nothing of Node, and no package but the one for YAML', () => {
    const { files, packages } = loadedBy(path.join(dist, name, 'index.js'));
    expect(files.size).toBeGreaterThan(20);
    expect([...packages]).toEqual(['yaml']);
  });
});

it('they run where no global of Node is', () => {
  const script = path.join(folder, 'browser.mjs');
  writeFileSync(
    script,
    `for (const name of ['process', 'Buffer', 'global', 'require', 'setImmediate', 'clearImmediate']) delete globalThis[name];
if (typeof process !== 'undefined' || typeof Buffer !== 'undefined') throw new Error('still there');
const { evaluate, format, jsonText, parseExpression, standardFunctions } = await import(${JSON.stringify(path.join(dist, 'hcl/index.js'))});
const { parseJob } = await import(${JSON.stringify(path.join(dist, 'jobspec/index.js'))});
${use}`,
  );
  expect(execFileSync(process.execPath, [script], { encoding: 'utf8' })).toBe(answer);
});

it('a bare project that has only the packed package reads job files', () => {
  const file = execFileSync('npm', ['pack', '--ignore-scripts', '--silent', `--pack-destination=${folder}`], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  const modules = path.join(folder, 'project/node_modules');
  mkdirSync(modules, { recursive: true });
  execFileSync('tar', ['-xzf', path.join(folder, file), '-C', modules]);
  execFileSync('mv', [path.join(modules, 'package'), path.join(modules, 'drover')]);
  expect(existsSync(path.join(modules, 'drover/node_modules'))).toBe(false);
  symlinkSync(path.join(root, 'node_modules/yaml'), path.join(modules, 'yaml'));
  const imports = `import { evaluate, format, jsonText, parseExpression, standardFunctions } from 'drover/hcl';
import { parseJob } from 'drover/jobspec';
`;
  writeFileSync(path.join(folder, 'project/main.mjs'), imports + use);
  const run = () =>
    execFileSync(process.execPath, ['main.mjs'], { cwd: path.join(folder, 'project'), encoding: 'utf8' });
  expect(run()).toBe(answer);

  const types = `import { type Body, type Diagnostic, parse } from 'drover/hcl';
import { type ParsedJob, parseJob } from 'drover/jobspec';
const read: { readonly body: Body; readonly diagnostics: readonly Diagnostic[] } = parse('a = 1', 'a');
const place: number | undefined = read.diagnostics[0]?.subject.startLine;
const parsed: ParsedJob = parseJob({ source: 'job "a" {}', filename: 'a' });
export const count: string | null | undefined = parsed.job?.ID ?? String(place);
// @ts-expect-error: there are types
parse(1);
`;
  writeFileSync(path.join(folder, 'project/types.ts'), types);
  const project = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--ignoreConfig', 'types.ts'];
  const check = () =>
    execFileSync(path.join(root, 'node_modules/.bin/tsc'), project, {
      cwd: path.join(folder, 'project'),
      encoding: 'utf8',
    });
  expect(check()).toBe('');
});
