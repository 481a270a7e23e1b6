// docs/reference/job-specification.md from the field tables.
import { jobBlocks, notRun } from './job-blocks.mjs';

const kinds = {
  string: 'text',
  number: 'number',
  bool: 'bool',
  duration: 'duration',
  strings: 'list of text',
  map: 'map',
  objects: 'list',
  any: 'any',
};
const labels = { job: '"docs"', group: '"app"', task: '"main"' };

/** What a parent cannot be without. */
const requiredLines = {
  task: ['  driver = "mock_driver"'],
  service: ['  provider = "nomad"'],
  spread: ['  attribute = "${node.datacenter}"'],
  template: ['  data        = "hello"', '  destination = "local/app.conf"', ''],
  volume: [
    '  type            = "csi"',
    '  source          = "disk"',
    '  access_mode     = "single-node-writer"',
    '  attachment_mode = "file-system"',
    '',
  ],
};

/** Every noun of a job file with the shortest way to it, in the order in which a reader meets them. */
export function nounPaths(blockShape, Job) {
  const found = new Map([['Job', { noun: Job, path: ['job'], places: ['job'] }]]);
  const queue = [found.get('Job')];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const block of blockShape(next.noun).blocks) {
      if (block.noun === undefined) continue;
      const path = [...next.path, block.name];
      const known = found.get(block.noun.name);
      if (known === undefined) {
        const entry = { noun: block.noun, path, places: [path.join('.')], labelled: block.labelled };
        found.set(block.noun.name, entry);
        queue.push(entry);
      } else if (known.places.length < 4 && !next.path.includes(block.name)) known.places.push(path.join('.'));
    }
  }
  return [...found.values()];
}

/** The example of a block inside of its parents: a whole job file. */
export function exampleFile({ noun, path }) {
  let result = (jobBlocks[noun.name]?.[1] ?? '').split('\n');
  for (const name of path.slice(0, -1).toReversed()) {
    const mesh = name === 'service' && path.includes('connect');
    const required = mesh ? [] : (requiredLines[name] ?? []);
    const label = labels[name] ?? (name === 'volume' ? '"data"' : name === 'network' ? '' : '');
    result = [
      `${name} ${label ? `${label} ` : ''}{`,
      ...required,
      ...result.map((line) => (line ? `  ${line}` : line)),
      '}',
    ];
  }
  return `${result.join('\n')}\n`;
}

const show = (value) => (value === undefined || value === null ? '' : `\`${JSON.stringify(value)}\``);

/** `warns`: what the server says to an example when it is registered. */
export function jobPage(blockShape, Job, warns) {
  const entries = nounPaths(blockShape, Job);
  const parts = [
    `# The job file

Made by \`node scripts/reference.mjs\` from the field tables in \`src/model\`; do not edit. A test runs each example in an agent
(with a group and a task where it shows none), but for these, which are registered and are waiting for a node that can run them:
${Object.entries(groupedReasons(entries))
  .map(([reason, names]) => `- ${names.join(', ')}: ${reason}`)
  .join('\n')}

A job file is HCL: one \`job\` block, and beside it \`variable\`, \`variables\` and \`locals\` blocks. Functions: [functions.md](functions.md).
The same blocks and attributes can be written in HCL's JSON syntax (schema: \`drover job schema\`) and in TypeScript (\`drover/job\`).
A duration is text like \`1h30m\` or \`10s\`, or a number of nanoseconds. The default is what the server fills in where that is not
the zero value and does not depend on other fields. "Field" is the name in the API's JSON.

| block | stands in | is |
|---|---|---|
${entries.map(({ noun, path, places }) => `| [\`${path.at(-1)}\`](#${anchor(noun, path)}) | ${places.map((place) => `\`${parentOf(place)}\``).join(', ')} | ${jobBlocks[noun.name]?.[0] ?? ''} |`).join('\n')}
`,
  ];
  for (const entry of entries) parts.push(section(entry, blockShape(entry.noun), entries, warns));
  return parts.join('\n');
}

/** Reason → links to the blocks whose examples are not run for it. */
function groupedReasons(entries) {
  const grouped = {};
  for (const { noun, path } of entries) {
    const reason = notRun(noun.name);
    if (reason === undefined) continue;
    grouped[reason] ??= [];
    grouped[reason].push(`[\`${path.at(-1)}\`](#${anchor(noun, path)})`);
  }
  return grouped;
}

const parentOf = (place) => (place.includes('.') ? place.slice(0, place.lastIndexOf('.')) : 'the file');
const title = (noun, path) => `${path.at(-1)} (${noun.name})`;
const anchor = (noun, path) =>
  title(noun, path)
    .toLowerCase()
    .replace(/[^a-z0-9_ -]/g, '')
    .replaceAll(' ', '-');

function section(entry, { attributes, blocks }, entries, warns) {
  const { noun, path, labelled } = entry;
  const lines = [`## ${title(noun, path)}`, '', jobBlocks[noun.name]?.[0] ?? '', ''];
  if (labelled || noun.name === 'Job') lines.push('Its label is its name.', '');
  lines.push('```hcl', exampleFile(entry).trimEnd(), '```', '');
  for (const warning of warns(exampleFile(entry))) lines.push(`The server takes it with a warning: ${warning}.`, '');
  const reason = notRun(noun.name);
  if (reason !== undefined) lines.push(`The tests register this example, but do not run it: ${reason}.`, '');
  if (attributes.length > 0) {
    lines.push('| attribute | takes | default | field |', '|---|---|---|---|');
    for (const { name, kind, required, fallback, field } of attributes)
      lines.push(
        `| \`${name}\`${required ? ' (required)' : ''} | ${kinds[kind]} | ${show(fallback)} | ${field || 'shorthand'} |`,
      );
    lines.push('');
  }
  if (blocks.length > 0) {
    lines.push('| block | holds | how often | field |', '|---|---|---|---|');
    for (const block of blocks) {
      const target = block.noun && entries.find((other) => other.noun === block.noun);
      const holds = target
        ? `[${block.noun.name}](#${anchor(target.noun, target.path)})`
        : block.content === 'free'
          ? 'whatever the driver takes'
          : `text by key${block.alsoAttribute ? '; also as an attribute' : ''}`;
      lines.push(
        `| \`${block.name}\`${block.labelled ? ' with a label' : ''} | ${holds} | ${block.repeated ? 'any number' : 'once'} | ${block.field} |`,
      );
    }
    lines.push('');
  }
  return lines.join('\n');
}
