// Task drivers as strangers write them: ordinary programs on the public plugin packages of five ages of Nomad, each without
// and with the optional calls, in one agent of ours and under the suite with its faults.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { shellJob } from '../e2e/jobs.ts';

const folder = resolve(import.meta.dirname, 'go-author');
const go = (() => {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** By module file. The first is from before capabilities that the others send. */
const ages = ['v1.1', 'v1.4', 'v1.7', 'v1.9', 'v1.11'];
/** The suite takes a minute of each. */
const judged = ['v1.1', 'v1.9', 'v1.11'];
const plugins = ages.flatMap((age) =>
  ['bare', 'full'].map((kind) => ({ age, kind, name: `${kind}_${age.replace('.', '_')}` })),
);
const full = plugins.filter(({ kind }) => kind === 'full');

describe.skipIf(!go)(`drivers of other authors${go ? '' : ' (skipped: no Go toolchain)'}`, () => {
  const files = mkdtempSync(join(tmpdir(), 'drover-go-author-'));
  const programOf = (age: string) => join(files, `author-${age}`);
  let agent: AgentProcess;

  beforeAll(async () => {
    const build = async (age: string): Promise<void> => {
      const words = ['build', `-modfile=${age}.mod`, '-ldflags=-s -w', '-o', programOf(age), '.'];
      await promisify(execFile)('go', words, { cwd: folder, env: { ...process.env, GOFLAGS: '-buildvcs=false' } });
    };
    await Promise.all(ages.map(build));
    mkdirSync(join(files, 'plugins'));
    for (const { age, kind, name } of plugins) {
      writeFileSync(join(files, 'plugins', name), `#!/bin/sh\nexec '${programOf(age)}' ${kind} ${name}\n`);
      chmodSync(join(files, 'plugins', name), 0o755);
    }
    agent = await startAgent({
      readyWithinMs: 120_000,
      config: {
        plugin_dir: join(files, 'plugins'),
        plugin: Object.fromEntries(plugins.map(({ name }) => [name, {}])),
      },
    });
    await eventually(async () => {
      const { value } = await agent.client.nodes.list();
      const { Drivers } = (await agent.client.nodes.read(value[0]!.ID)).value;
      const missing = plugins.filter(({ name }) => Drivers?.[name]?.Healthy !== true).map(({ name }) => name);
      if (missing.length > 0) throw new Error(`not healthy: ${missing.join(', ')}`);
    }, 60_000);
  }, 900_000);

  afterAll(async () => {
    await agent?.dispose();
    rmSync(files, { recursive: true, force: true });
  });

  async function become(job: string, status: string) {
    return eventually(async () => {
      const { value } = await agent.client.allocations.list();
      const row = value.find(({ JobID }) => JobID === job);
      if (row?.ClientStatus !== status)
        throw new Error(`${job} is ${row?.ClientStatus}: ${JSON.stringify(row?.TaskStates)}`);
      return row;
    }, 60_000);
  }

  async function logsOf(id: string, text: string): Promise<void> {
    await eventually(async () => {
      expect((await runCli(agent, ['alloc', 'logs', id, 't'])).stdout).toBe(text);
    });
  }

  const serviceOf = (name: string, script: string) =>
    shellJob(`stays-${name}`, script, { type: 'service', driver: name });

  it('all run tasks: output and exit code', async () => {
    for (const { name } of plugins)
      await agent.client.jobs.register(shellJob(`ends-${name}`, 'echo out; exit 3', { type: 'batch', driver: name }));
    for (const { name } of plugins) {
      const { ID, TaskStates } = await become(`ends-${name}`, 'failed');
      expect(JSON.stringify(TaskStates), name).toContain('Exit Code: 3');
      await logsOf(ID, 'out\n');
    }
  });

  it('do what they can, and what one cannot is refused with its name', async () => {
    for (const { name } of plugins)
      await agent.client.jobs.register(serviceOf(name, 'trap "echo hup" HUP; while :; do sleep 0.1; done'));
    for (const { name, kind } of plugins) {
      const { ID } = await become(`stays-${name}`, 'running');
      const inside = await runCli(agent, ['alloc', 'exec', '-t=false', ID, 'echo', 'inside']);
      const signalled = await runCli(agent, ['alloc', 'signal', '-s', 'SIGHUP', ID]);
      if (kind === 'bare') {
        expect(inside.code, name).not.toBe(0);
        expect(inside.stderr).toContain(name);
        expect(signalled.code, name).not.toBe(0);
        expect(signalled.stderr).toContain(name);
        continue;
      }
      expect(inside.stdout, inside.stderr).toBe('inside\n');
      expect(signalled.code, signalled.stderr).toBe(0);
      await logsOf(ID, 'hup\n');
      expect(JSON.stringify((await agent.client.allocations.list()).value.find((row) => row.ID === ID))).toContain(
        'a process of its own',
      );
    }
    for (const { name } of plugins) await agent.client.jobs.deregister(`stays-${name}`, { purge: false });
    for (const { name } of plugins) await become(`stays-${name}`, 'complete');
  });

  it('find their tasks again after a crash of the agent, and after their own', async () => {
    const script = 'echo one; while [ ! -e "$NOMAD_ALLOC_DIR/go" ]; do sleep 0.1; done; echo two; exit 4';
    for (const { name } of plugins)
      await agent.client.jobs.register(shellJob(`lives-${name}`, script, { type: 'batch', driver: name }));
    for (const { name } of plugins) await become(`lives-${name}`, 'running');
    await agent.crash();
    agent = await agent.restart();
    for (const { name } of plugins) {
      const { ID } = await become(`lives-${name}`, 'running');
      await logsOf(ID, 'one\n');
    }
    const { stdout } = await runCli(agent, ['driver', 'list']);
    for (const { name } of full)
      process.kill(Number(new RegExp(`^${name} +\\S+ +${name} +(\\d+) `, 'm').exec(stdout)?.[1]), 'SIGKILL');
    for (const { name } of plugins) {
      const { ID } = await become(`lives-${name}`, 'running');
      writeFileSync(join(agent.directory, 'data/alloc', ID, 'alloc/go'), '');
      expect(JSON.stringify((await become(`lives-${name}`, 'failed')).TaskStates), name).toContain('Exit Code: 4');
      await logsOf(ID, 'one\ntwo\n');
    }
  });

  it('are judged by driver check, faults and all', async () => {
    const all = plugins.filter(({ age }) => judged.includes(age));
    const reports = all.map(async ({ age, kind, name }) => {
      const tasks = join(folder, `${kind}.check.hcl`);
      const command = ['driver', 'check', '-json', `-tasks=${tasks}`, programOf(age), kind, name];
      const { stdout, code } = await runCli(null, command);
      const { rows } = JSON.parse(stdout) as { rows: { name: string; outcome: string; reason: string }[] };
      return { name, code, rows };
    });
    for (const { name, code, rows } of await Promise.all(reports)) {
      const failed = rows.filter(({ outcome }) => outcome === 'failed');
      expect(failed, name).toEqual([]);
      expect(rows.filter(({ outcome }) => outcome === 'passed').length, name).toBeGreaterThan(22);
      expect(code, name).toBe(0);
    }
  }, 300_000);
});
