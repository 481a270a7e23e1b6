// How long `drover version` takes against a bare `node -e 0`: node test/bench/cli-start.mjs [runs]. Medians of runs that alternate.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const runs = Number(process.argv[2] ?? 30);
const drover = join(import.meta.dirname, '../../bin/drover.js');
const timeOf = (args) => {
  const start = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return Number(process.hrtime.bigint() - start) / 1e6;
};
const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

const [bare, version] = [[], []];
for (let run = 0; run < runs; run++) {
  bare.push(timeOf(['-e', '0']));
  version.push(timeOf([drover, 'version']));
}
const ratio = median(version) / median(bare);
console.log(
  `drover version ${median(version).toFixed(1)} ms, node -e 0 ${median(bare).toFixed(1)} ms: ${ratio.toFixed(2)} times (to reach: 2.5)`,
);
process.exitCode = ratio <= 2.5 ? 0 : 1;
