/** Figures of programs alone: the command line's start, the shim's logs, the scheduler. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { drover, quantile, root } from './agent.mjs';

function medianOf(runs, args) {
  const times = Array.from({ length: runs }, () => {
    const from = performance.now();
    const ran = spawnSync(process.execPath, args, { stdio: 'ignore' });
    if (ran.status !== 0) throw new Error(`${args.join(' ')} ended with ${ran.status}`);
    return performance.now() - from;
  });
  return quantile(times, 0.5);
}

export async function cli(report) {
  const bare = medianOf(20, ['-e', '0']);
  const own = medianOf(20, [drover, 'version']);
  report('node -e 0', bare, 'ms');
  report('drover version', own, 'ms');
  report('drover version ÷ node -e 0', own / bare, '×', { most: 2.5 });
}

export async function logs(report) {
  const ran = spawnSync(process.execPath, [join(root, 'test/bench/shim.mjs'), '200', '1000'], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const [, own, cat, share] = /logs: ([\d.]+) GB\/s, cat ([\d.]+) GB\/s: ([\d.]+) of cat/.exec(ran.stdout);
  report('log throughput through the shim', Number(own), 'GB/s');
  report('the same by cat > file', Number(cat), 'GB/s');
  report('shim ÷ cat', Number(share), '×', { least: 0.8 });
  const [, perSecond] = /heap \+500 MB: (\d+) starts\/s/.exec(ran.stdout);
  report('shims alone, with 500 MB of heap', Number(perSecond), '/s');
}

export async function scheduler(report) {
  const ran = spawnSync(process.execPath, [join(root, 'test/bench/scheduler.mjs'), '2'], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  for (const line of ran.stdout.trim().split('\n')) {
    const match = /^\s*(\d+) nodes\s+(.+?)\s+([\d,]+) placements\/s/.exec(line);
    if (match === null) continue;
    const target = match[2] === 'service, count 10' ? { least: 10_000 } : {};
    report(`${Number(match[1]).toLocaleString('en')} nodes, ${match[2]}`, Number(match[3].replaceAll(',', '')), 'placements/s', target);
  }
}

/** Reading job files: the syntax tree alone and the whole way to the job. */
export async function hcl(report) {
  const ran = spawnSync(process.execPath, [join(root, 'test/bench/hcl.mjs'), '-json'], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const { firstMs, rows } = JSON.parse(ran.stdout);
  for (const { bytes, tree, job } of rows) {
    const size = `${(bytes / 1000).toFixed(0)} kB`;
    report(`${size}, syntax tree`, bytes / 1000 / tree.ms, 'MB/s', { note: `${(tree.allocated / 1e6).toFixed(1)} MB allocated` });
    report(`${size}, to the API's job`, bytes / 1000 / job.ms, 'MB/s', { note: `${(job.allocated / 1e6).toFixed(1)} MB allocated` });
    if (bytes > 9e6) report('10 MB to the API\'s job', job.ms, 'ms', { most: 2000 });
  }
  report('10 MB, the first file of the process', firstMs, 'ms', { most: 2000 });
}
