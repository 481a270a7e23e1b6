// Drivers whose authors were careless, made with the kit as its page says and built into one file, under two agents that share a plugin_dir.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DriverProgram, DriverReload } from '../../src/client/driver-programs.ts';
import { type AgentProcess, drover, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { allocationsOf, nodeReady, output, shellJob } from './jobs.ts';

const files = mkdtempSync(join(tmpdir(), 'drover-sloppy-'));
const pluginDir = join(files, 'plugins');
const agents: AgentProcess[] = [];

/** A driver whose tasks say what goes wrong: before them, in the plugin. */
const source = (options: string): string => `
import { readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineDriver, option } from 'drover/driver';
console.log('words of an import');
const faults = {
  none() {},
  forgets() { void sleep(4000).then(() => { throw new Error('nobody awaited this'); }); },
  blocks() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5000); },
  prints() { for (let at = 0; at < 1000; at++) console.log('x'.repeat(10_000)); },
  unlinks() {
    const directory = process.env.PLUGIN_UNIX_SOCKET_DIR;
    for (const name of readdirSync(directory)) rmSync(directory + '/' + name, { recursive: true });
  },
  late: () => sleep(2500),
};
export default defineDriver({
  name: 'sloppy', version: '1.0.0', limitsMs: { start: 20_000 },
  config: { script: option.string({ required: true }), fault: option.string({ default: 'none' }), ${options} },
  async start({ config }) {
    await faults[config.fault]();
    return { command: '/bin/sh', args: ['-c', config.script] };
  },
});
`;

/** In place of what is there, as a package manager does it. */
function install(name: string, text: string): void {
  writeFileSync(join(files, `${name}.mjs`), text);
  const next = join(files, `${name}.next`);
  const { status, stderr } = spawnSync(drover, ['driver', 'build', `-o=${next}`, join(files, `${name}.mjs`)], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  renameSync(next, join(pluginDir, name));
}

beforeAll(async () => {
  mkdirSync(pluginDir);
  install('sloppy', source(''));
  for (const name of ['one', 'two']) {
    const state = join(files, name);
    const plugin = { sloppy: { args: [state], call_timeout: '10s' } };
    const agent = await startAgent({ config: { name, plugin_dir: pluginDir, plugin } });
    agents.push(agent);
    await nodeReady(agent, name);
  }
}, 240_000);

afterAll(async () => {
  for (const agent of agents) await agent.dispose();
  rmSync(files, { recursive: true, force: true });
});

const job = (id: string, fault: string, script: string) =>
  shellJob(id, '', {
    type: 'batch',
    driver: 'sloppy',
    // one that ended its plugin would do so again and again
    group: { ReschedulePolicy: { Attempts: 0, Unlimited: false } },
    task: { Config: { script, fault } },
  });

async function listed(agent: AgentProcess): Promise<DriverProgram> {
  const { stdout } = await runCli(agent, ['driver', 'list', '-json']);
  return (JSON.parse(stdout) as DriverProgram[]).find(({ File }) => File === 'sloppy')!;
}

async function reload(agent: AgentProcess): Promise<DriverReload> {
  const { stdout } = await runCli(agent, ['driver', 'reload', '-json']);
  return (JSON.parse(stdout) as DriverReload[]).find(({ File }) => File === 'sloppy')!;
}

describe('a careless driver', () => {
  it.each(['prints', 'blocks', 'late'])('that %s runs its task, and others meanwhile', async (fault) => {
    const [agent] = agents as [AgentProcess];
    await agent.client.jobs.register(job(`stays-${fault}`, 'none', 'sleep 600'));
    await allocationsOf(agent, `stays-${fault}`, 'running');
    await agent.client.jobs.register(job(fault, fault, 'echo out'));
    const [row] = await allocationsOf(agent, fault, 'complete', 1, 90_000);
    expect(await output(agent, row!.ID)).toBe('out\n');
    await allocationsOf(agent, `stays-${fault}`, 'running');
    expect((await listed(agent)).Problem).toBe('');
  });

  it('that forgets to await ends, is started again with its tasks, and the agent’s log says why as an error', async () => {
    const [agent] = agents as [AgentProcess];
    const before = await listed(agent);
    await agent.client.jobs.register(job('forgets', 'forgets', 'sleep 8; exit 9'));
    const [row] = await allocationsOf(agent, 'forgets', 'failed', 1, 90_000);
    expect(row!.TaskStates?.['t']?.Restarts).toBe(0);
    expect(JSON.stringify(row!.TaskStates)).toContain('Exit Code: 9');
    expect(agent.log()).toMatch(/\[ERROR\].*failed outside of its hooks, and ends: nobody awaited this.*sloppy/);
    const after = await eventually(async () => {
      const now = await listed(agent);
      expect(now.Problem).toBe('');
      return now;
    });
    expect(after.Pid).not.toBe(before.Pid);
  });

  it('that removes its own socket is started anew by the next agent, with its tasks', async () => {
    const [agent] = agents as [AgentProcess];
    await agent.client.jobs.register(
      job(
        'unlinks',
        'unlinks',
        'i=0; while [ $i -lt 200 ] && ! [ -e "$NOMAD_TASK_DIR/go" ]; do i=$((i+1)); sleep 0.1; done; exit 7',
      ),
    );
    const [row] = await allocationsOf(agent, 'unlinks', 'running');
    const before = await listed(agent);
    await agent.crash();
    const next = await agent.restart();
    agents[0] = next;
    await nodeReady(next, 'one');
    const after = await eventually(async () => {
      const now = await listed(next);
      expect(now.Problem).toBe('');
      return now;
    }, 90_000);
    expect(after.Pid).not.toBe(before.Pid);
    expect(() => process.kill(before.Pid, 0)).toThrow();
    writeFileSync(join(next.directory, 'data/alloc', row!.ID, 't/local/go'), '');
    const [ended] = await allocationsOf(next, 'unlinks', 'failed', 1, 90_000);
    expect(JSON.stringify(ended!.TaskStates)).toContain('Exit Code: 7');
    expect(ended!.TaskStates?.['t']?.Restarts).toBe(0);
  });
});

describe('two agents with one plugin_dir', () => {
  it('have a process each, and what happens to one’s leaves the other’s tasks alone', async () => {
    const [one, two] = agents as [AgentProcess, AgentProcess];
    for (const agent of [one, two]) {
      await agent.client.jobs.register(job('shared', 'none', 'sleep 600'));
      await allocationsOf(agent, 'shared', 'running');
    }
    const pids = await Promise.all([one, two].map(async (agent) => (await listed(agent)).Pid));
    expect(new Set(pids).size).toBe(2);
    process.kill(pids[0]!, 'SIGKILL');
    await eventually(async () => {
      const now = await listed(one);
      expect([now.Problem, now.Pid === pids[0]]).toEqual(['', false]);
    });
    expect((await listed(two)).Pid).toBe(pids[1]);
    for (const agent of [one, two]) {
      const [row] = await allocationsOf(agent, 'shared', 'running');
      expect(row!.TaskStates?.['t']?.Restarts).toBe(0);
    }
  });

  it('take a new version each when they are told to: tasks of the old go on, or it does not take over', async () => {
    const [one, two] = agents as [AgentProcess, AgentProcess];
    const before = await listed(two);
    const changed = (options: string): string =>
      source(options).replace("fault: option.string({ default: 'none' }), ", '').replace('config.fault', "'none'");
    // tasks that run are told to the new version with the options that they have
    install('sloppy', changed('tone: option.string({ required: true })'));
    const old = await listed(one);
    expect(await reload(one)).toMatchObject({
      Outcome: 'failed',
      Reason: expect.stringMatching(/the new version does not take over: .*"tone"/),
    });
    expect(await listed(one)).toMatchObject({ Pid: old.Pid, Problem: '' });
    install('sloppy', changed("tone: option.string({ default: 'low' })"));
    expect(await reload(one)).toMatchObject({ Outcome: 'replaced' });
    // its version is the same, its options are not: the servers hear of them at once
    await eventually(async () => {
      const { value } = await one.client.jobs.register(job('late', 'none', 'true'));
      expect(value.Warnings).toContain('"fault"');
    }, 20_000);
    const [row] = await allocationsOf(one, 'shared', 'running');
    expect(row!.TaskStates?.['t']?.Restarts).toBe(0);
    expect(await listed(two)).toMatchObject({ Pid: before.Pid, Checksum: before.Checksum });
  });

  it('go on where the file is taken away, and say so', async () => {
    const [, two] = agents as [AgentProcess, AgentProcess];
    rmSync(join(pluginDir, 'sloppy'));
    expect(await reload(two)).toMatchObject({
      Outcome: 'kept',
      Reason: expect.stringContaining('file or block is gone'),
    });
    await two.client.jobs.register(job('after', 'none', 'echo still'));
    const [row] = await allocationsOf(two, 'after', 'complete');
    expect(await output(two, row!.ID)).toBe('still\n');
  });
});
