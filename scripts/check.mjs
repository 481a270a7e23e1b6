#!/usr/bin/env node
// npm run check: types, layers, tidy, lint, dead code, unit tests. `--static` leaves the unit tests out (npm test has a lane for them).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureModules } from './lib/setup.mjs';
import { root } from './lib/source-files.mjs';

ensureModules();
const tool = (name) => join(root, 'node_modules', '.bin', name);
const steps = [
  ['types', tool('tsc'), ['-p', 'tsconfig.test.json']],
  ['layers', process.execPath, ['scripts/check-layers.mjs']],
  ['tidy', process.execPath, ['scripts/check-tidy.mjs']],
  ['lint', tool('biome'), ['check', '--error-on-warnings']],
  ['dead code', tool('knip'), []],
];
if (!process.argv.includes('--static'))
  steps.push(['unit tests', tool('vitest'), ['run', '--project', 'unit', '--reporter=dot']]);

let failed = 0;
for (const [name, command, args] of steps) {
  const started = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok' : 'FAILED'}  ${name} (${seconds} s)`);
  if (status !== 0) failed++;
}
console.log(`${steps.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
