#!/usr/bin/env node
// docs/isolation-measured.md: what each rung was measured to stop, and what people use without an orchestrator. Reads what the lanes security,
// network and drivers left in build/attacks, and writes the page.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { say } from './lib/setup.mjs';
import { root } from './lib/source-files.mjs';

const folder = join(root, 'build/attacks');
if (!existsSync(folder)) {
  say('nothing is measured yet: run `npm test -- security` as root first');
  process.exit(1);
}
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));
const measured = files.filter(({ driver, attempts }) => driver !== undefined && attempts !== undefined);
const beside = files.filter(({ title }) => title !== undefined);
const modules = files.find(({ module }) => module !== undefined)?.module;
const proven = new Set(measured.flatMap(({ attempts }) => attempts.map(({ name }) => name)));
const columns = [
  ...measured.sort((a, b) => order(a) - order(b)).map((each) => ({ title: titleOf(each), attempts: each.attempts })),
  ...beside,
];
const absent = [
  ...['docker', 'podman', 'lxc', 'microvm'].filter((name) => !measured.some(({ driver }) => driver === name)),
  ...(modules === undefined ? ['modules of wasm'] : []),
  ...['`bwrap`', '`systemd-run`'].filter((name) => !beside.some(({ title }) => title.startsWith(name.slice(0, -1)))),
];
const kinds = [...new Set(columns.flatMap(({ attempts }) => attempts.map(({ kind }) => kind)))];
const stopped = (attempts) => attempts.filter(({ outcome }) => outcome === 'stopped' || outcome === 'absent').length;
const cell = (attempts) => `${stopped(attempts)}/${attempts.length}`;
const rows = kinds.map((kind) => [
  kind,
  ...columns.map(({ attempts }) => cell(attempts.filter((each) => each.kind === kind))),
]);
rows.push(['**all**', ...columns.map(({ attempts }) => `**${cell(attempts)}**`)]);
const table = [
  ['attacks on', ...columns.map(({ title }) => title)],
  columns
    .map(() => '---:')
    .concat('---:')
    .with(0, '---'),
  ...rows,
]
  .map((row) => `| ${row.join(' | ')} |`)
  .join('\n');
const through = columns.map(({ title, attempts }) => {
  const names = attempts.filter(({ outcome }) => outcome !== 'stopped' && outcome !== 'absent').map(({ name }) => name);
  return `- **${title}**: ${names.length === 0 ? 'nothing' : names.length > 12 ? `${names.length} of ${attempts.length}` : names.join('; ')}`;
});

writeFileSync(
  join(root, 'docs/isolation-measured.md'),
  `# Isolation, measured
Made by \`scripts/isolation-table.mjs\` from the attacks in \`test/security/attacks\`: ${proven.size} things that a hostile task tries, each of which was shown
to take effect where nothing protects, on the same host. A cell says how many were stopped. Columns are a driver and the rung its task was
held at, under an agent of root or of an ordinary user; beside them what people use without an orchestrator.

Measured ${new Date().toISOString().slice(0, 10)} on Linux ${release()}.${absent.length === 0 ? '' : ` Not there to be measured: ${absent.join(', ')}.`}

${table}

## What got through
${through.join('\n')}

The task of a machine is root of a kernel of its own: what got through there took effect in that kernel and went with it. What looks for something of the host
found nothing (\`test/security/machines.test.ts\`). What that kernel's emulator reaches when its guest has taken it over are the columns before.

A task at rung \`sandbox\` keeps the host's network unless its job says otherwise: what it reaches there is named by the \`network\` dimension of its
report. \`process\` and \`none\` promise nothing about files or the network; they are here for comparison. Low ports on a bridge
are those of the task's own network.
${modules === undefined ? '' : ofModules(modules)}`,
);

/** What a module tries of WASI is another list. */
function ofModules(by) {
  const ways = Object.keys(by);
  const names = by[ways[0]].map(({ name }) => name);
  const outcome = (way, name) => by[way].find((each) => each.name === name).outcome;
  const count = (way) => `**${by[way].filter((each) => each.outcome === 'stopped').length}/${names.length}**`;
  const rows = [
    ['a module tries to get', ...ways],
    ['---', ...ways.map(() => '---')],
    ...names.map((name) => [name, ...ways.map((way) => outcome(way, name))]),
    ['**stopped**', ...ways.map(count)],
  ];
  return `
## Modules of wasm
A module reaches outside by WASI's calls alone, so it has attacks of its own (\`src/drivers/wasm/attacks.c\`). The control is Node's WASI that was given
the host: what it stopped by itself shows nothing about us.

${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`;
}

function titleOf({ driver, rung, wanted, who, network: kind, subordinates, floor }) {
  const user = who === 'root' ? '' : subordinates ? ' (user, an id each)' : ' (user)';
  if (floor !== undefined) return `${driver} that its job holds at ${floor}`;
  // an engine's own default, whatever rung its report names
  if (['docker', 'podman'].includes(driver)) return `${driver}'s default (${rung})`;
  if (driver === 'qemu') return `an emulator taken over, ${rung}${user}`;
  if (driver === 'lxc') return "lxc's own container";
  if (driver === 'microvm') return `root of a machine of microvm${kind === undefined ? '' : ` on a ${kind}`}`;
  if (kind !== undefined) return `${driver} ${rung} on a ${kind}${user}`;
  const network = wanted === 'container' && rung !== 'container' ? ' without network' : '';
  return `${driver} ${rung}${network}${user}`;
}

function order({ driver, wanted, who, network, subordinates, floor }) {
  const drivers = ['exec', 'java', 'qemu', 'raw_exec', 'docker', 'podman', 'lxc', 'microvm'];
  const rung = ['docker', 'podman', 'lxc', 'microvm'].includes(driver)
    ? 4
    : ['container', 'sandbox', 'process', 'none'].indexOf(wanted);
  return (
    rung * 64 +
    drivers.indexOf(driver) * 4 +
    (network === undefined ? 0 : 2) +
    (floor === undefined ? 0 : -1) +
    (who === 'root' ? 0 : subordinates ? 0.5 : 1)
  );
}
