/**
 * After many starts and ends an agent is as it was after the first few: memory, descriptors, threads, processes, mounts, cgroups, files.
 * DROVER_LONG=1: 1,000 cycles instead of 60.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { allocationsOf, nodeReady, shellJob } from '../e2e/jobs.ts';
import { cgroupsBelow, endLeftovers, mountsBelow, shimsOf } from '../processes.ts';

const isRoot = process.getuid?.() === 0;
const cycles = Number(process.env['DROVER_CYCLES'] ?? (process.env['DROVER_LONG'] === '1' ? 1000 : 60));
const atATime = 20;
const cgroupParent = `drover-cycles-${process.pid}`;
let agent: AgentProcess;

beforeAll(async () => {
  agent = await startAgent({
    config: { client: { enabled: true, cgroup_parent: cgroupParent }, log_level: 'WARN' },
  });
  await nodeReady(agent);
});
afterAll(async () => {
  await agent.dispose();
  await endLeftovers(agent.directory, cgroupParent);
});

/** Twenty tasks run, write, end (some by themselves, some stopped), and are collected. */
async function round(number: number): Promise<void> {
  const driver = isRoot && number % 2 === 1 ? 'exec' : 'raw_exec';
  const half = { count: atATime / 2, driver };
  await Promise.all([
    agent.client.jobs.register(shellJob('ends', 'echo out; echo err >&2', { ...half, type: 'batch' })),
    agent.client.jobs.register(shellJob('stopped', 'echo out; exec sleep 1000', half)),
  ]);
  await allocationsOf(agent, 'ends', 'complete', half.count);
  await allocationsOf(agent, 'stopped', 'running', half.count);
  for (const job of ['ends', 'stopped']) await agent.client.jobs.deregister(job, { purge: true });
  await eventually(async () => {
    const { value } = await agent.client.allocations.list();
    const left = value.filter((row) => !['complete', 'failed', 'lost'].includes(row.ClientStatus));
    if (left.length > 0) throw new Error(`${left.length} allocations still run`);
  }, 60_000);
  await agent.client.agent.collectGarbage();
  await eventually(async () => expect((await agent.client.allocations.list()).value).toEqual([]), 30_000);
  const allocDir = join(agent.directory, 'data/alloc');
  // the agent's own have a dot
  await eventually(() => expect(readdirSync(allocDir).filter((name) => !name.startsWith('.'))).toEqual([]), 30_000);
}

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function look() {
  const status = readFileSync(`/proc/${agent.pid}/status`, 'utf8');
  const files = filesBelow(join(agent.directory, 'data'));
  return {
    memoryMb: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024,
    threads: Number(/Threads:\s+(\d+)/.exec(status)![1]),
    descriptors: readdirSync(`/proc/${agent.pid}/fd`).length,
    children: readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim().split(' ').length,
    supervisors: shimsOf(agent.directory).length,
    mounts: mountsBelow(agent.directory).length,
    groups: cgroupsBelow(cgroupParent).length,
    files: files.length,
    diskMb: files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6,
  };
}

it.skipIf(process.platform !== 'linux')(
  `nothing grows over ${cycles} starts and ends`,
  { timeout: 60_000 + cycles * 2000 },
  async () => {
    const rounds = Math.ceil(cycles / atATime);
    // by then everything that is made once is there
    const warm = Math.max(2, Math.min(10, Math.floor(rounds / 3)));
    for (let number = 0; number < warm; number++) await round(number);
    const before = look();
    for (let number = warm; number < rounds; number++) await round(number);
    const after = look();
    console.log(JSON.stringify({ cycles: rounds * atATime, before, after }));
    // exactly, where things have a number; connections that are kept open come and go
    for (const name of ['threads', 'supervisors', 'mounts', 'groups'] as const)
      expect(after[name], name).toBe(before[name]);
    // a probe may have had a program running then
    expect(after.children, 'children').toBeLessThanOrEqual(before.children);
    // claims of uids are swept now and then
    expect(after.files, 'files').toBeLessThanOrEqual(before.files + 66);
    expect(after.descriptors, 'descriptors').toBeLessThanOrEqual(before.descriptors + 4);
    expect(after.memoryMb, 'memory').toBeLessThan(before.memoryMb * 1.25 + 20);
    // the second copy of each state grows to 64 MiB before it is written anew
    expect(after.diskMb, 'disk').toBeLessThan(before.diskMb + 2 * 67.2);
  },
);
