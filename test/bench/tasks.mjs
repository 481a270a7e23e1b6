/** Figures about tasks: how soon they run, how many a second, what they and the agent cost, how soon they are found again. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, fdatasyncSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, cpuSeconds, memoryKb, quantile, sleep } from './agent.mjs';

/** Milliseconds from the request to the answer that says `running`, by a blocking query. */
export async function submitToRunning(agent, id, more) {
  const from = performance.now();
  await agent.register(id, more);
  for (let index = 0; ; ) {
    const answer = await fetch(`${agent.address}/v1/job/${id}/allocations?index=${index}&wait=10s`);
    index = Number(answer.headers.get('x-nomad-index'));
    const [row] = await answer.json();
    if (row?.ClientStatus === 'running') return performance.now() - from;
    if (row?.ClientStatus === 'failed') throw new Error(JSON.stringify(row.TaskStates));
  }
}

/** Of starts one after the other, the first five left out; each begins when nothing of the one before runs any more. */
export async function latencies(agent, driver, samples, more = {}) {
  const [times] = await sideBySide([agent], driver, samples, more);
  return times;
}

/** The same of several agents in turn: what the machine does besides falls on each alike. */
export async function sideBySide(agents, driver, samples, more = {}) {
  const times = agents.map(() => []);
  for (let at = 0; at < samples + 5; at++) {
    for (const [which, agent] of agents.entries()) {
      const ms = await submitToRunning(agent, `${driver}-${at}`, { driver, ...more });
      if (at >= 5) times[which].push(ms);
      await fetch(`${agent.address}/v1/job/${driver}-${at}?purge=true`, { method: 'DELETE' });
      await agent.untilRunning(0);
      await sleep(30);
    }
  }
  return times.map((each) => ({ p50: quantile(each, 0.5), p99: quantile(each, 0.99) }));
}

/** The runtime that exec uses here, run by hand around /bin/true. */
function bareRuntime() {
  const command = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--unshare-all', '--', '/bin/true'];
  const times = Array.from({ length: 30 }, () => {
    const from = performance.now();
    if (spawnSync('bwrap', command).status !== 0) throw new Error('bwrap does not run here');
    return performance.now() - from;
  });
  return quantile(times, 0.5);
}

/**
 * What of a start is the disk's: the job, the plan, the generation and that it runs are commits one after the other, each of them written
 * as LMDB does (pages, a sync, the meta page with a sync of its own), and the intent is a sync more. By hand, with nothing in between.
 */
function diskWaits() {
  const directory = mkdtempSync(join(tmpdir(), 'drover-bench-disk-'));
  const file = join(directory, 'data');
  const pages = openSync(file, 'w');
  const meta = openSync(file, constants.O_WRONLY | constants.O_DSYNC);
  const page = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 60 }, (_, round) => {
    const from = performance.now();
    for (let commit = 0; commit < 5; commit++) {
      for (let at = 0; at < 5; at++) writeSync(pages, page, 0, page.length, (1 + ((round * 25 + commit * 5 + at) % 500)) * page.length);
      fdatasyncSync(pages);
      if (commit > 0) writeSync(meta, page, 0, 128, 0);
    }
    return performance.now() - from;
  });
  closeSync(pages);
  closeSync(meta);
  rmSync(directory, { recursive: true });
  return quantile(times, 0.5);
}

export async function submit(report) {
  report('the disk by hand: what a start waits for, p50', diskWaits(), 'ms');
  const agent = await Agent.start();
  try {
    const raw = await latencies(agent, 'raw_exec', 100);
    report('raw_exec, submit → running p50', raw.p50, 'ms', { most: 30 });
    report('raw_exec, submit → running p99', raw.p99, 'ms');
    const exec = await latencies(agent, 'exec', 100);
    const bare = bareRuntime();
    report('bubblewrap by hand, p50', bare, 'ms');
    report('exec, submit → running p50', exec.p50, 'ms', { most: 30 + bare, note: '30 ms above the bare runtime' });
    report('exec, submit → running p99', exec.p99, 'ms');
  } finally {
    await agent.dispose();
  }
}

export async function starts(report) {
  const agent = await Agent.start();
  try {
    for (const [what, driver, count] of [['raw_exec', 'raw_exec', 500], ['exec', 'exec', 200]]) {
      const from = performance.now();
      await agent.register(`many-${driver}`, { driver, count, type: 'batch', command: 'sleep', args: ['100000'] });
      await agent.untilRunning(count);
      const seconds = (performance.now() - from) / 1000;
      report(`sustained starts, ${what} (${count} tasks)`, count / seconds, '/s', driver === 'raw_exec' ? { least: 100 } : {});
      const stopping = performance.now();
      await agent.stopJobs();
      report(`stops, ${what}`, count / ((performance.now() - stopping) / 1000), '/s');
    }
  } finally {
    await agent.dispose();
  }
}

export function shimsOf(directory) {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => {
        const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
        return path.startsWith(`${directory}/`) && path.endsWith('/shim.pid');
      });
    } catch {
      return false;
    }
  });
}

async function cpuShare(agent, seconds) {
  const before = cpuSeconds(agent.child.pid);
  await sleep(seconds * 1000);
  return ((cpuSeconds(agent.child.pid) - before) / seconds) * 100;
}

export async function cost(report) {
  const agent = await Agent.start();
  try {
    await sleep(3_000);
    report('idle agent, processor', await cpuShare(agent, 15), '% of a core', { most: 2 });
    report('idle agent, RSS', memoryKb(agent.child.pid).rss / 1024, 'MB', { most: 120 });
    await agent.register('hundred', { count: 100 });
    await agent.untilRunning(100);
    await sleep(5_000);
    const memory = shimsOf(agent.directory).map(memoryKb);
    report('shim, RSS at most', Math.max(...memory.map(({ rss }) => rss)), 'kB', { most: 1024 });
    report('shim, PSS mean', memory.reduce((sum, { pss }) => sum + pss, 0) / memory.length, 'kB');
    report('agent with 100 tasks, processor', await cpuShare(agent, 15), '% of a core', { most: 5 });
    report('agent with 100 tasks, RSS', memoryKb(agent.child.pid).rss / 1024, 'MB');
  } finally {
    await agent.dispose();
  }
}

export async function reattach(report) {
  for (const count of [200, 1000]) {
    const agent = await Agent.start();
    try {
      await agent.register('many', { count });
      await agent.untilRunning(count);
      await sleep(1_000);
      const before = new Set(shimsOf(agent.directory));
      await agent.kill();
      const from = performance.now();
      await agent.again();
      const answers = performance.now();
      await agent.untilRunning(count);
      const limits = count === 1000 ? { most: 10 } : { most: 5 };
      report(`${count} tasks found again after kill -9`, (performance.now() - from) / 1000, 's', {
        ...limits,
        note: `node ready after ${((answers - from) / 1000).toFixed(2)} s`,
      });
      const same = shimsOf(agent.directory).filter((pid) => before.has(pid)).length;
      if (same !== count) throw new Error(`${same} of ${count} are the same as before`);
    } finally {
      await agent.dispose();
    }
  }
}

