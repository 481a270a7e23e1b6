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

async function startRate(agent, driver, count, more) {
  const from = performance.now();
  await agent.register(`many-${driver}`, { driver, count, type: 'batch', ...more });
  for (const until = Date.now() + 120_000; (await agent.runningTasks()) !== count; await sleep(50))
    if (Date.now() > until) throw new Error(`${count} ${driver} tasks did not run within 120 s`);
  return count / ((performance.now() - from) / 1000);
}

async function measure(report, { rung, driver = 'exec', prefer, more = {}, none, bare, cleared = () => {}, count, least }) {
  // without an agent: what it keeps of tasks that have ended slows other launchers down
  const [own, alone] = bare === undefined ? [] : [await latencyOf(bare), await rateOf(bare, count)];
  cleared();
  const plugin = { exec: { config: { isolation: { prefer } } } };
  const agent = await Agent.start(undefined, prefer === undefined ? {} : { plugin });
  try {
    const latency = await latencies(agent, driver, 40, more);
    await agent.stopJobs();
    report(`${rung}: submit → running p50`, latency.p50, 'ms');
    if (bare !== undefined) {
      report(`${rung}: the bare runtime p50`, own, 'ms');
      report(`${rung}: above rung none p50`, latency.p50 - none, 'ms', { most: own + 15, note: 'the bare runtime + 15 ms' });
    }
    const rate = await startRate(agent, driver, count, more);
    const { supervisor, group } = memoryOf(agent, count);
    await agent.stopJobs();
    if (alone !== undefined) report(`${rung}: the bare runtime, ${atOnce} at a time`, alone, '/s');
    report(`${rung}: starts (${count} tasks)`, rate, '/s', least === undefined ? {} : { least: least(alone) });
    report(`${rung}: PSS of the supervisor, a task`, supervisor, 'kB');
    if (group !== undefined) report(`${rung}: charged to the task's group (sleep)`, group, 'kB');
    return latency.p50;
  } finally {
    await agent.dispose();
  }
}

export async function rungs(report) {
  const count = 100;
  const none = await measure(report, { rung: 'none', driver: 'raw_exec', count });
  await measure(report, { rung: 'process', prefer: 'process', none, bare: () => ['/bin/true'], count });
  await measure(report, { rung: 'sandbox', prefer: 'sandbox', none, bare: bwrap, count, least: () => 100 });
  if (process.getuid?.() !== 0 || spawnSync('runc', ['--version']).status !== 0) return;
  const runc = new Runc();
  try {
    const more = { network: 'none' };
    const bare = () => runc.next();
    await measure(report, { rung: 'container', none, more, bare, cleared: () => runc.clear(), count: 60, least: (alone) => 0.8 * alone });
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
