// What a shim costs: starts per second, memory, and how fast output is stored beside `cat > file`.
// node test/bench/shim.mjs [starts] [megabytes]      (after `npm run build`)
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSupervisor } from '../../dist/supervise/supervisor.js';

const starts = Number(process.argv[2] ?? 300);
const megabytes = Number(process.argv[3] ?? 2000);
const base = mkdtempSync(join(tmpdir(), 'drover-bench-'));
const supervisor = createSupervisor();
const env = { PATH: '/usr/bin:/bin' };
let counter = 0;

function record(command) {
  counter += 1;
  const output = { directory: base, stdout: `t${counter}.stdout`, stderr: `t${counter}.stderr`, maxFiles: 10, maxBytes: 4e9 };
  return {
    ...{ id: `bench/${counter}`, directory: join(base, `r${counter}`), launcher: { kind: 'direct' }, command, env, identity: {}, cgroups: [] },
    ...{ killUnit: { kind: 'session' }, output: { mode: 'rotate', ...output } },
  };
}

/** The shim and its scribe: the larger RSS of the two, the PSS of both. */
function residentKb(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  const scribes = children.filter((child) => readFileSync(`/proc/${child}/comm`, 'utf8') === 'drover-scribe\n');
  const statuses = [pid, ...scribes].map((each) => readFileSync(`/proc/${each}/smaps_rollup`, 'utf8'));
  const field = (name) => statuses.map((status) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0));
  return { rss: Math.max(...field('Rss')), pss: field('Pss').reduce((sum, each) => sum + each, 0) };
}

async function measureStarts(ballastMb) {
  const ballast = Array.from({ length: ballastMb }, () => Buffer.alloc(1 << 20, 1));
  const from = performance.now();
  const shims = [];
  for (let i = 0; i < starts; i += 20) {
    const batch = await Promise.all(Array.from({ length: Math.min(20, starts - i) }, () => supervisor.start(record(['sleep', '300']))));
    await Promise.all(batch.map((shim) => shim.held()));
    shims.push(...batch);
  }
  const perSecond = starts / ((performance.now() - from) / 1000);
  const memory = shims.map((shim) => residentKb(shim.pid));
  const worst = Math.max(...memory.map((each) => each.rss));
  const mean = memory.reduce((sum, each) => sum + each.pss, 0) / memory.length;
  const stopping = performance.now();
  await Promise.all(shims.map((shim) => shim.stop({ timeoutMs: 1000 })));
  await Promise.all(shims.map((shim) => shim.wait()));
  const stopsPerSecond = starts / ((performance.now() - stopping) / 1000);
  await Promise.all(shims.map((shim) => shim.shutdown()));
  console.log(
    `heap +${ballast.length} MB: ${perSecond.toFixed(0)} starts/s (held, connected, running), ${stopsPerSecond.toFixed(0)} stops/s, ` +
      `RSS at most ${worst} kB, PSS ${mean.toFixed(0)} kB each`,
  );
}

async function measureLogs() {
  const producer = `head -c ${megabytes}000000 /dev/zero`;
  const file = join(base, 'cat.out');
  const times = { shim: [], cat: [] };
  for (let round = 0; round < 3; round += 1) {
    let from = performance.now();
    spawnSync('sh', ['-c', `${producer} | cat > ${file}`]);
    times.cat.push(performance.now() - from);
    rmSync(file);
    from = performance.now();
    const of = record(['sh', '-c', producer]);
    const shim = await supervisor.start(of);
    const end = await shim.wait();
    times.shim.push(performance.now() - from);
    await shim.shutdown();
    if (end.unknown !== null || end.stdout.stored !== BigInt(megabytes) * 1_000_000n) throw new Error('bytes are missing');
    rmSync(join(base, `${of.output.stdout}.0`));
  }
  const [cat, own] = [Math.min(...times.cat), Math.min(...times.shim)];
  console.log(`logs: ${(megabytes / own).toFixed(2)} GB/s, cat ${(megabytes / cat).toFixed(2)} GB/s: ${(cat / own).toFixed(2)} of cat`);
}

try {
  console.log(`${supervisor.kind} shim; ${execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim()}; ${base} (type ${statfsSync(base).type})`);
  await measureStarts(0);
  await measureStarts(500);
  await measureLogs();
} finally {
  await supervisor.close();
  rmSync(base, { recursive: true, force: true });
}
