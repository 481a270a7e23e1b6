/** What each rung costs, beside the bare runtime in the same run: latency, starts per second, memory; and what the verifier adds. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, memoryKb, quantile, root, sleep } from './agent.mjs';
import { atOnce, bwrap, latencyOf, Runc, rateOf } from './runtimes.mjs';
import { latencies, shimsOf } from './tasks.mjs';

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Kilobytes a task: its supervisor (shared pages by their share), and what the kernel charges its group. */
function memoryOf(agent, count) {
  const shims = shimsOf(agent.directory).map((pid) => memoryKb(pid).pss);
  const groups = `/sys/fs/cgroup/memory/drover-bench-${process.pid}`;
  const charged = (existsSync(groups) ? readdirSync(groups, { withFileTypes: true }) : [])
    .filter((entry) => entry.isDirectory())
    .map((entry) => Number(readFileSync(join(groups, entry.name, 'memory.usage_in_bytes'), 'utf8')) / 1024);
  return { supervisor: sum(shims) / count, group: charged.length === 0 ? undefined : sum(charged) / charged.length };
}

/**
 * Until the server has stored of the last one that it runs. It is asked seldom, and the row says when that was: on two cores whoever asks
 * takes from what is measured.
 */
async function startRate(agent, driver, count, more) {
  const from = Date.now();
  await agent.register(`many-${driver}`, { driver, count, type: 'batch', ...more });
  for (const until = from + 120_000; (await agent.runningTasks()) !== count; await sleep(200))
    if (Date.now() > until) throw new Error(`${count} ${driver} tasks did not run within 120 s`);
  for (;;) {
    const rows = await agent.get(`/v1/job/many-${driver}/allocations`);
    const seen = rows.filter(({ ClientStatus }) => ClientStatus === 'running').map(({ ModifyTime }) => ModifyTime / 1e6);
    if (seen.length === count) return count / ((Math.max(...seen) - from) / 1000);
    await sleep(50);
  }
}

/**
 * `bare`: the runtime by hand, by turns with an agent, each `rounds` times. Each agent is a fresh one, and by hand there is none: what it keeps
 * of tasks that have ended slows other launchers down.
 */
async function measure(report, { rung, driver = 'exec', prefer, more = {}, none, bare, cleared = () => {}, count, rounds = 1, least }) {
  const plugin = { exec: { config: { isolation: { prefer } } } };
  const [own, alone, latency, rates] = [[], [], [], []];
  let memory = {};
  for (let round = 0; round < rounds; round++) {
    if (bare !== undefined) own.push(await latencyOf(bare, 15));
    if (bare !== undefined) alone.push(await rateOf(bare, count));
    cleared();
    const agent = await Agent.start(undefined, prefer === undefined ? {} : { plugin });
    try {
      latency.push((await latencies(agent, driver, 25, more)).p50);
      await agent.stopJobs();
      rates.push(await startRate(agent, driver, count, more));
      memory = memoryOf(agent, count);
    } finally {
      await agent.dispose();
    }
  }
  const p50 = quantile(latency, 0.5);
  report(`${rung}: submit → running p50`, p50, 'ms');
  if (bare !== undefined) {
    const by = quantile(own, 0.5);
    report(`${rung}: the bare runtime p50`, by, 'ms');
    report(`${rung}: above rung none p50`, p50 - none, 'ms', { most: by + 15, note: 'the bare runtime + 15 ms' });
    report(`${rung}: the bare runtime, ${atOnce} at a time`, quantile(alone, 0.5), '/s', { note: each(alone) });
  }
  const target = least === undefined ? {} : { least: least(quantile(alone, 0.5)) };
  report(`${rung}: starts (${count} tasks)`, quantile(rates, 0.5), '/s', { ...target, note: each(rates) });
  report(`${rung}: PSS of the supervisor, a task`, memory.supervisor, 'kB');
  if (memory.group !== undefined) report(`${rung}: charged to the task's group (sleep)`, memory.group, 'kB');
  return p50;
}

const each = (values) => (values.length === 1 ? '' : `the middle one of ${values.map((value) => value.toFixed(1)).join(', ')}`);

export async function rungs(report) {
  const count = 100;
  const none = await measure(report, { rung: 'none', driver: 'raw_exec', count });
  await measure(report, { rung: 'process', prefer: 'process', none, bare: () => ['/bin/true'], count });
  await measure(report, { rung: 'sandbox', prefer: 'sandbox', none, bare: bwrap, count, rounds: 3, least: () => 100 });
  if (process.getuid?.() !== 0 || spawnSync('runc', ['--version']).status !== 0) return;
  const runc = new Runc();
  try {
    const more = { network: 'none' };
    const bare = () => runc.next();
    await measure(report, { rung: 'container', none, more, bare, cleared: () => runc.clear(), count: 60, rounds: 3, least: (alone) => 0.8 * alone });
  } finally {
    runc.dispose();
  }
}

/** From the instructions to "ready" in a process of its own, and what is looked at from the host before `go`. */
export async function verifier(report) {
  const built = (path) => import(join(root, 'dist', path));
  const [{ encodeVerify }, { encodeFrame }, { readHeldProcess, checkFromHost }] = await Promise.all(
    ['supervise/verify-fields.js', 'supervise/wire.js', 'isolation/host-checks.js'].map(built),
  );
  const identity = { noNewPrivs: true };
  const instructions = encodeFrame(1, encodeVerify({ nonce: 'n', command: ['/bin/true'], env: {}, identity }));
  const inside = [];
  const outside = [];
  for (let at = 0; at < 60; at++) {
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe'];
    const child = spawn(join(root, 'build/native/drover-verify'), ['3'], { stdio });
    const control = child.stdio[3];
    await sleep(20);
    const began = performance.now();
    control.write(instructions);
    await new Promise((resolve) => control.on('data', (data) => String(data).includes('"ready"') && resolve()));
    const ready = performance.now();
    const nothing = { cgroup: null, limits: null, capabilities: [], writable: [], volumes: [], notAsked: [], network: null, taskUids: null, now: '' };
    const request = { ...nothing, pid: child.pid, killUnit: 'session', findings: new Map() };
    checkFromHost(request, readHeldProcess(child.pid));
    inside.push(ready - began);
    outside.push(performance.now() - ready);
    child.kill('SIGKILL');
  }
  report('static checks inside, p50', quantile(inside, 0.5), 'ms');
  report('static checks from the host, p50', quantile(outside, 0.5), 'ms');
  report('static checks together', quantile(inside, 0.5) + quantile(outside, 0.5), 'ms', { most: 5 });
}
