// What the Markdown files say is held to what is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { builtInDrivers } from '../src/agent/built-in-drivers.ts';
import { devValues, resolveConfig } from '../src/agent/config-resolve.ts';
import { agentSettings } from '../src/agent/settings.ts';
import { unservedRoutes } from '../src/api/routes/unserved.ts';
import { formatDuration } from '../src/lib/duration.ts';
import { linesOf } from '../src/model/isolation-ladder.ts';
import { configurationReference } from './lib/configuration-reference.mjs';
import { driverPage, folderOf, packages, testsOf } from './lib/driver-page.mjs';
import { root } from './lib/source-files.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');
const folders = ['bin', 'docs', 'examples', 'native', 'proto', 'scripts', 'src', 'test'];
const files = [
  ...readdirSync(root).filter((name) => /\.(md|json|ts)$/.test(name)),
  ...folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.parentPath.includes('node_modules'))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  ),
];
const documents = files.filter((path) => path.endsWith('.md'));

/** `src/model/<noun>.ts`, `test/compat/expected-*.json`: as a pattern; what stands for one name has no slash. */
function exists(path) {
  const clean = path.replace(/\/$/, '');
  if (!/[*<]/.test(clean)) return existsSync(join(root, clean));
  const escaped = clean.replace(/[.+^$()|[\]\\{}]/g, '\\$&');
  const pattern = new RegExp(`^${escaped.replace(/<[^>]*>|\*/g, '[^/]+')}$`);
  return files.some((file) => pattern.test(file));
}

/** Paths in code spans that begin with a folder of the project, and the targets of links. */
function pathsOf(document) {
  const text = read(document);
  const spans = [...text.matchAll(/`([^`\n]+)`/g)]
    .flatMap(([, span]) => span.split(/[\s,]+/))
    .filter((word) => new RegExp(`^(${folders.join('|')})/`).test(word) && !word.startsWith('bin/sh'))
    .map((word) => word.replace(/[:#].*$/, ''));
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target.replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(document), target)));
  return [...spans, ...links];
}

describe('the documents', () => {
  it.each(documents)('%s names only places that exist', (document) => {
    expect(pathsOf(document).filter((path) => !exists(path))).toEqual([]);
  });

  it.each(documents.filter((path) => /^src\/.*README\.md$/.test(path)))(
    '%s names only files of its folder',
    (document) => {
      const folder = dirname(document);
      const named = [...read(document).matchAll(/`([\w./-]+(?<!\.job)\.ts)`/g)].map(([, path]) => path);
      const there = (path) => [folder, 'src', '.'].some((from) => existsSync(join(root, from, path)));
      expect(named.filter((path) => !there(path))).toEqual([]);
    },
  );

  it('docs/dependencies.md has a row for each dependency, and no other', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    const rows = read('docs/dependencies.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    const named = rows.flatMap((row) => [...row.split('|')[1].matchAll(/`([^`]+)`/g)].map(([, name]) => name));
    expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...devDependencies }).sort());
  });

  it('docs/configuration.md is what the settings make of it, and each served one has a place where it is read', () => {
    const on = { server: { enabled: true }, client: { enabled: true }, tls: { http: true } };
    const { config } = resolveConfig(on, { dev: false, hostname: '', defaultDataDir: '', files: [] });
    const { text, unread } = configurationReference(agentSettings, config, devValues, formatDuration);
    expect(unread).toEqual([]);
    expect(read('docs/configuration.md')).toBe(text);
  });

  it.each(builtInDrivers.map((plugin) => [plugin.pluginName, plugin]))(
    'docs/drivers/%s.md has the options of the driver, and the index has the page',
    (name, plugin) => {
      const page = read(`docs/drivers/${name}.md`);
      // which files test an option is looked up when the tables are made: a new test makes no page wrong
      const options = (text) => text.replace(/^(\| `.*\|)[^|]*\|$/gm, '$1');
      expect(options(page)).toBe(options(driverPage(page, plugin, testsOf(folderOf(name), name))));
      expect(read('docs/drivers/README.md')).toContain(`(${name}.md)`);
    },
  );

  it.each(Object.entries(packages))(
    'docs/drivers/%s.md has the options of the package, and the index has the page',
    (name, folder) => {
      const page = read(`docs/drivers/${name}.md`);
      const options = read(`${folder}/options.js`);
      const named = [...options.matchAll(/^ +(\w+): option\./gm)].map(([, option]) => option);
      expect(named.filter((option) => !new RegExp(`^\\| \`(\\w+\\.)?${option}\` \\|`, 'm').test(page))).toEqual([]);
      expect(read('docs/drivers/README.md')).toContain(`(${name}.md)`);
    },
  );

  it('SCOPE.md names every block of a job that has no effect yet', () => {
    const blocks = [...read('src/model/not-served.ts').matchAll(/block: '(\w+)'/g)].map(([, block]) => block);
    const scope = read('SCOPE.md');
    expect(blocks.filter((block) => !scope.includes(`\`${block}\``))).toEqual([]);
  });

  it('SCOPE.md names every route that is not served yet, and no other', () => {
    const unserved = unservedRoutes.filter(({ kind }) => kind === 'ask').map(({ path }) => path);
    const named = [...read('SCOPE.md').matchAll(/`(\/(?:v1|ui)\/[^`]+)`/g)].map(([, path]) => path);
    expect(named.sort()).toEqual([...new Set(unserved)].sort());
  });

  it('docs/job-files.md states the limits of the language as they are', () => {
    const rows = read('docs/job-files.md').matchAll(/^\| .* \| ([\d,]+)[^|]* \| `(\w+)` in `([^`]+)` \|$/gm);
    const stated = [...rows].map(([, number, name, file]) => [name, file, Number(number.replaceAll(',', ''))]);
    expect(stated.length).toBeGreaterThan(10);
    for (const [name, file, number] of stated) {
      const written = new RegExp(`const ${name} = ([^;]+);`).exec(read(file))?.[1] ?? '';
      const product = written.split('*').reduce((all, part) => all * Number(part.replaceAll('_', '')), 1);
      expect([name, product]).toEqual([name, number]);
    }
  });

  it('docs/isolation.md has the ladder as it is checked', () => {
    const rows = [...read('docs/isolation.md').matchAll(/^\| `(\w+)` \|(.*)\|$/gm)];
    const ladder = rows.map(([, rung, lines]) => [rung, [...lines.matchAll(/`(\w+)`/g)].map(([, line]) => line)]);
    expect(Object.fromEntries(ladder.filter(([rung]) => rung in linesOf))).toEqual(linesOf);
  });
});

describe('the package', () => {
  const { exports } = JSON.parse(read('package.json'));

  it.each(Object.entries(exports))('exports %s from a module that loads', async (_name, built) => {
    const source = built.replace('./dist/', '../src/').replace(/\.js$/, '.ts');
    expect(Object.keys(await import(source)).length).toBeGreaterThan(0);
  });
});
