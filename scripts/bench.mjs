#!/usr/bin/env node
// npm run bench: every figure the project promises, measured here and now, each beside its target.
//   npm run bench -- [SECTION…]     default: all; --help: their names
import { cpus, loadavg, release, totalmem } from 'node:os';
import { clients } from '../test/bench/clients.mjs';
import { docker, podman } from '../test/bench/docker.mjs';
import { identities } from '../test/bench/identities.mjs';
import { lists } from '../test/bench/lists.mjs';
import { plugins } from '../test/bench/plugins.mjs';
import { cli, hcl, logs, scheduler } from '../test/bench/programs.mjs';
import { rungs, verifier } from '../test/bench/rungs.mjs';
import { cost, reattach, starts, submit } from '../test/bench/tasks.mjs';
import { build, ensureCompiler, ensureModules } from './lib/setup.mjs';

const sections = {
  submit,
  starts,
  rungs,
  identities,
  verifier,
  cost,
  reattach,
  cli,
  logs,
  lists,
  scheduler,
  hcl,
  plugins,
  docker,
  podman,
  ...clients,
};
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(sections, name));
if (unknown.length > 0) {
  const asked = ['-h', '-help', '--help'].includes(unknown[0]);
  const which = `npm run bench -- [SECTION…]; sections, all by default: ${Object.keys(sections).join(' ')}`;
  console.error(asked ? which : `no such section: ${unknown.join(', ')}\n${which}`);
  process.exit(asked ? 0 : 1);
}

ensureModules();
ensureCompiler();
build();
const load = () => `load ${loadavg()[0].toFixed(1)}`;
console.log(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? '?'}, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB, ${load()}\n`,
);
let missed = 0;
for (const [name, run] of Object.entries(sections)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`${name} (${load()})`);
  try {
    await run(report);
  } catch (error) {
    missed++;
    console.log(`  not measured: ${error.message}`);
  }
}
console.log(missed === 0 ? '\nevery target is met' : `\n${missed} missed`);

/** @param {{ most?: number, least?: number, note?: string }} target */
function report(what, value, unit, { most, least, note } = {}) {
  const digits = value < 10 ? 2 : value < 1000 ? 1 : 0;
  const rounded = value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const bad = (most !== undefined && value > most) || (least !== undefined && value < least);
  if (bad) missed++;
  const limit = most ?? least;
  const target =
    limit === undefined
      ? ''
      : `${bad ? 'MISSED' : 'ok'}: ${most === undefined ? '≥' : '≤'} ${+limit.toFixed(1)} ${unit}`;
  console.log(
    `  ${what.padEnd(58)} ${rounded.padStart(10)} ${unit.padEnd(13)} ${target}${note === undefined ? '' : `  (${note})`}`,
  );
}
