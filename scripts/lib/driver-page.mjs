// docs/drivers/<name>.md: hand-written, with tables of options made from the driver's schemas between two marks.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source-files.mjs';

const region = /(<!-- options: (\w+) -->\n)[\s\S]*?(\n<!-- end of options -->)/g;

/** Every option of a schema, blocks opened: `{ path: 'mounts.target', option }`. */
function optionsOf(schema, before = '') {
  return Object.entries(schema).flatMap(([name, option]) => {
    const path = before === '' ? name : `${before}.${name}`;
    const { type } = option;
    const inner = type.kind === 'block' || type.kind === 'blocks' ? optionsOf(type.fields, path) : [];
    return [{ path, option }, ...inner];
  });
}

function typeText(type) {
  if (type.kind === 'list') return `list of ${typeText(type.of)}`;
  if (type.kind === 'map') return `map of ${typeText(type.of)}`;
  return { string: 'text', number: 'number', bool: 'true or false', any: 'anything', block: 'block', blocks: 'blocks' }[
    type.kind
  ];
}

function defaultText(option) {
  if (option.required) return 'required';
  const { default: value } = option;
  const empty = value === undefined || value === null || value === '' || JSON.stringify(value).length <= 2;
  return empty && typeof value !== 'number' ? '' : `\`${JSON.stringify(value)}\``;
}

const cell = (text) => text.replaceAll('|', '\\|');

/** @param tests `[{ path, text }]`: where an option's use is looked for */
function table(schema, tests) {
  const rows = optionsOf(schema).map(({ path, option }) => {
    const by = testedBy(path, tests);
    const shown = by.length === 0 ? 'no test' : by.map((file) => `\`${file}\``).join(', ');
    return `| \`${path}\` | ${typeText(option.type)} | ${cell(defaultText(option))} | ${cell(option.doc)} | ${shown} |`;
  });
  if (rows.length === 0) return 'None.';
  return ['| option | type | default | what it is | tested by |', '|---|---|---|---|---|', ...rows].join('\n');
}

/** What is asked of a session in a task: its command and its terminal are no options. */
const sessions = /\.exec!?\([^;]*;/g;

/** Files in which the option is given, inside of what it belongs to: `name: …`, `name = …` or `name {`. At most two are named. */
function testedBy(path, tests) {
  return tests
    .filter(({ text }) => gives(text.replace(sessions, ''), path.split('.')))
    .map((file) => file.path)
    .slice(0, 2);
}

function gives(text, [name, ...inner]) {
  const use = new RegExp(`(?<![\\w.])['"]?${name}['"]?\\s*(?::(?!:)|=(?!=)|(?=\\{))`, 'g');
  return [...text.matchAll(use)].some(
    (match) => inner.length === 0 || gives(valueAt(text, match.index + match[0].length), inner),
  );
}

/** A list or block that begins here, to its closing bracket; of anything else the line. */
function valueAt(text, from) {
  const begin = from + /^\s*/.exec(text.slice(from))[0].length;
  if (!'[{('.includes(text[begin])) return text.slice(begin, text.indexOf('\n', begin) + 1 || undefined);
  let depth = 0;
  for (let at = begin; at < text.length; at++) {
    if ('[{('.includes(text[at])) depth++;
    if (']})'.includes(text[at]) && --depth === 0) return text.slice(begin, at + 1);
  }
  return text.slice(begin);
}

/**
 * What may test a driver: the tests of its folder; of other folders those whose first lines or titles name it (tests of every container
 * engine); the kit's, where its options are the kit's; and the examples that run it.
 */
export function testsOf(own, name) {
  const read = (path) => ({ path, text: readFileSync(join(root, path), 'utf8').replaceAll('\\n', '\n') });
  const testsIn = (folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => read(join(folder, file)));
  const isolated = readdirSync(join(root, own)).some(
    (file) => /^(index|options)\.ts$/.test(file) && read(join(own, file)).text.includes('isolated-options'),
  );
  const examples = readdirSync(join(root, 'examples'))
    .filter((file) => file.endsWith('.hcl'))
    .map((file) => read(join('examples', file)));
  return [
    ...testsIn(own),
    ...(name === 'podman' ? testsIn('src/drivers/docker').filter(({ text }) => text.includes("engine: 'podman'")) : []),
    ...(isolated ? testsIn('src/driver-kit').filter(({ path }) => path.endsWith('isolated-command.test.ts')) : []),
    ...examples.filter(({ text }) => new RegExp(`driver\\s*=\\s*"${name}"`).test(text)),
  ];
}

/** @param plugin a driver's plugin @param tests `testsOf` it @returns the page with its tables made anew */
export function driverPage(text, plugin, tests) {
  // a region that lost its blank line swallows the next one
  const regions = [...text.matchAll(region)].map(([, , which]) => which);
  if (regions.join() !== 'plugin,task')
    throw new Error(`docs/drivers/${plugin.pluginName}.md has regions for ${regions.join()}; wanted: plugin,task`);
  return text.replace(region, (_, begin, which, end) => {
    const schema = which === 'plugin' ? plugin.configSchema : plugin.taskSchema;
    return `${begin}${table(schema, tests)}${end}`;
  });
}

/** Folder of a driver's sources: `raw_exec` → `src/drivers/raw-exec`. */
export function folderOf(name) {
  const folder = join('src/drivers', name === 'mock_driver' ? 'mock' : name.replaceAll('_', '-'));
  if (!existsSync(join(root, folder))) throw new Error(`no folder ${folder}`);
  return folder;
}

/** Drivers that are packages of their own: name → folder. */
export const packages = { lxc: 'examples/plugins/lxc' };
