// Task drivers that we did not write, as plugins built with Nomad's SDK of different ages: the ones Nomad itself ships.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { shellJob } from '../e2e/jobs.ts';

const folder = resolve(import.meta.dirname, 'go-drivers');
const go = (() => {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const isRoot = process.getuid?.() === 0;

/** Module file → version of Nomad whose drivers and SDK it has. 1.1 is from before each optional call that later ones have. */
describe.skipIf(!go).each([
  ['v1.1.mod', '1.1.0'],
  ['v1.6.mod', '1.6.1'],
])(`drivers of %s${go ? '' : ' (skipped: no Go toolchain)'}`, (moduleFile, version) => {
  const files = mkdtempSync(join(tmpdir(), 'drover-go-drivers-'));
  const program = join(files, 'drivers');
  const served = ['raw_exec', 'exec', 'java', 'qemu', 'mock_driver'];
  let agent: AgentProcess;

  beforeAll(async () => {
    execFileSync('go', ['build', `-modfile=${moduleFile}`, '-ldflags=-s -w', '-o', program, '.'], {
      cwd: folder,
      env: { ...process.env, GOFLAGS: '-buildvcs=false' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    mkdirSync(join(files, 'plugins'));
    for (const name of served) {
      writeFileSync(join(files, 'plugins', name), `#!/bin/sh\nexec '${program}' ${name}\n`);
      chmodSync(join(files, 'plugins', name), 0o755);
    }
    agent = await startAgent({
      config: {
        plugin_dir: join(files, 'plugins'),
        plugin: {
          ...Object.fromEntries(served.map((name) => [name, {}])),
          raw_exec: { config: { enabled: true } },
        },
      },
    });
    await eventually(async () => {
      const { value } = await agent.client.nodes.list();
      if (value[0]?.Status !== 'ready') throw new Error('the node is not ready');
    });
  }, 600_000);

  afterAll(async () => {
    await agent?.dispose();
    rmSync(files, { recursive: true, force: true });
  });

  async function node() {
    const { value } = await agent.client.nodes.list();
    return (await agent.client.nodes.read(value[0]!.ID)).value;
  }

  async function become(job: string, status: string) {
    return eventually(async () => {
      const { value } = await agent.client.allocations.list();
      const row = value.find(({ JobID }) => JobID === job);
      if (row?.ClientStatus !== status)
        throw new Error(`${job} is ${row?.ClientStatus}: ${JSON.stringify(row?.TaskStates)}`);
      return row;
    }, 90_000);
  }

  it('all load, and say how they are', async () => {
    const { Drivers } = await node();
    for (const name of ['raw_exec', 'mock_driver'])
      expect(Drivers?.[name]).toMatchObject({ Detected: true, Healthy: true });
    // what they are good for here depends on the machine; that they say so does not
    for (const name of ['exec', 'java', 'qemu']) {
      expect(Drivers?.[name], name).toBeDefined();
      expect(Drivers?.[name]?.HealthDescription, name).not.toMatch(/last fault|not answered|handshake/);
    }
    const { stdout } = await runCli(agent, ['driver', 'list']);
    for (const name of served) expect(stdout).toMatch(new RegExp(`^${name} +\\S+ +${name} +\\d+ .* up$`, 'm'));
  });

  it('run real tasks: output, exit code, exec, signal, stop', async () => {
    await agent.client.jobs.register(shellJob('ends', 'echo out; echo err >&2; exit 3', { type: 'batch' }));
    const { ID } = await become('ends', 'failed');
    await eventually(async () => {
      expect((await runCli(agent, ['alloc', 'logs', ID, 't'])).stdout).toBe('out\n');
      expect((await runCli(agent, ['alloc', 'logs', '-stderr', ID, 't'])).stdout).toBe('err\n');
    });
    const script = 'trap "echo hup" HUP; while :; do sleep 0.1; done';
    await agent.client.jobs.register(shellJob('stays', script, { type: 'service' }));
    const running = await become('stays', 'running');
    await eventually(async () => {
      expect((await runCli(agent, ['alloc', 'exec', running.ID, 'echo', 'inside'])).stdout).toBe('inside\n');
    });
    await runCli(agent, ['alloc', 'signal', '-s', 'SIGHUP', running.ID]);
    await eventually(async () => {
      expect((await runCli(agent, ['alloc', 'logs', running.ID, 't'])).stdout).toContain('hup');
    });
    await agent.client.jobs.deregister('stays', { purge: false });
    await become('stays', 'complete');
  });

  it('outlive a crash of the agent together with their tasks', async () => {
    await agent.client.jobs.register(shellJob('crash', 'echo one; sleep 6; echo two; exit 4', { type: 'batch' }));
    const { ID } = await become('crash', 'running');
    await agent.crash();
    agent = await agent.restart();
    expect(JSON.stringify((await become('crash', 'failed')).TaskStates)).toContain('Exit Code: 4');
    await eventually(async () => {
      expect((await runCli(agent, ['alloc', 'logs', ID, 't'])).stdout).toBe('one\ntwo\n');
    });
  });

  it('outlive the death of their plugin together with their tasks', async () => {
    await agent.client.jobs.register(shellJob('orphan', 'echo one; sleep 6; echo two; exit 5', { type: 'batch' }));
    const { ID } = await become('orphan', 'running');
    const { stdout } = await runCli(agent, ['driver', 'list']);
    const pid = Number(/^raw_exec +\S+ +raw_exec +(\d+) /m.exec(stdout)?.[1]);
    process.kill(pid, 'SIGKILL');
    expect(JSON.stringify((await become('orphan', 'failed')).TaskStates)).toContain('Exit Code: 5');
    await eventually(async () => {
      expect((await runCli(agent, ['alloc', 'logs', ID, 't'])).stdout).toBe('one\ntwo\n');
    });
  });

  // one age is enough: what is checked here is the suite, on a plugin of another language that nobody wrote for it
  it.skipIf(version !== '1.6.1')(
    'are judged by driver check, faults and all',
    async () => {
      const tasks = join(folder, 'raw-exec.check.hcl');
      const { stdout, code } = await runCli(null, ['driver', 'check', '-json', `-tasks=${tasks}`, program, 'raw_exec']);
      const { rows } = JSON.parse(stdout) as { rows: { name: string; outcome: string; reason: string }[] };
      // this driver looks for the id first and keeps it last: of two starts at once both may succeed, and one task is forgotten
      const race = ['two starts of one id at once give one task', 'no process of any task is left behind'];
      const failed = rows.filter(({ outcome }) => outcome === 'failed');
      expect(failed.map(({ name }) => name)).toEqual(failed.length > 0 ? race : []);
      expect(rows.filter(({ outcome }) => outcome === 'excused')).toHaveLength(2);
      expect(rows.length).toBeGreaterThan(25);
      expect(code).toBe(failed.length > 0 ? 1 : 0);
    },
    300_000,
  );

  it.skipIf(!isRoot)('exec of theirs says what it needs, or runs a task', async () => {
    const { Drivers } = await node();
    if (Drivers?.['exec']?.Healthy !== true) {
      expect(Drivers?.['exec']?.HealthDescription).not.toBe('');
      return;
    }
    await agent.client.jobs.register(shellJob('chrooted', 'exit 6', { type: 'batch', driver: 'exec' }));
    const row = await become('chrooted', 'failed');
    // a node's kernel may not have what an old executor asks for: then the driver's own words are the event
    expect(JSON.stringify(row.TaskStates)).toMatch(/Exit Code: 6|rpc error/);
  });

  it('refuse wrong options by their own specifications, at submit', async () => {
    const job = shellJob('wrong', '', { type: 'batch', task: { Config: { comand: '/bin/true' } } });
    const { value } = await agent.client.jobs.validate(job);
    expect(value.DriverConfigProblems?.[0]).toMatchObject({
      Path: ['comand'],
      Detail: expect.stringMatching(/"command"/),
    });
  });
});
