// An agent with plugins in its plugin_dir: real programs, killed and wrong ones among them.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, drover, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';

const files = mkdtempSync(join(tmpdir(), 'drover-plugins-'));
const pluginDir = join(files, 'plugins');
let agent: AgentProcess;

function program(name: string, text: string): void {
  writeFileSync(join(pluginDir, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(pluginDir, name), 0o755);
}

function jobFile(name: string, driver: string, config: string): string {
  const path = join(files, `${name}.nomad.hcl`);
  writeFileSync(
    path,
    `job "${name}" {
      type = "batch"
      group "g" {
        restart {
          attempts = 0
          mode     = "fail"
        }
        task "t" {
          driver = "${driver}"
          config {
            ${config}
          }
          resources {
            cpu    = 20
            memory = 64
          }
        }
      }
    }`,
  );
  return path;
}

/** As a plugin of another kit: it has no service that tells before a start. */
const mute = `#!${process.execPath}
import { definePlugin, fingerprints, serve } from '${join(import.meta.dirname, '../../dist/driver-kit/index.js')}';
const info = { name: 'mute', version: '1.0.0', filesystem: 'none', networkModes: ['host'], mounts: false };
const healthy = () => ({ health: 'healthy', description: 'Healthy', attributes: { 'driver.mute': '1' } });
const create = () => ({ info, fingerprint: (signal) => fingerprints(healthy, signal), close: async () => {} });
await serve(definePlugin({ pluginName: 'mute', version: '1.0.0', configSchema: {}, taskSchema: {}, create }));
`;

beforeAll(async () => {
  mkdirSync(pluginDir);
  const serve = (driver: string) =>
    `exec '${process.execPath}' '${drover}' driver serve -state-dir '${join(files, driver)}' ${driver}`;
  program('mock_driver', serve('mock_driver'));
  program('raw_exec', serve('raw_exec'));
  symlinkSync(join(import.meta.dirname, '../../examples/drivers/script.mjs'), join(pluginDir, 'script'));
  writeFileSync(join(pluginDir, 'mute'), mute, { mode: 0o755 });
  program('liar', 'echo hello, I am no plugin; exec sleep 60');
  program('dead', 'echo "[ERROR] no engine here" >&2; exit 3');
  program('unnamed', 'exit 0');
  program('off', 'exit 0');
  writeFileSync(join(pluginDir, 'notes.txt'), 'a stray file');
  symlinkSync('/no/such/file', join(pluginDir, 'dangling'));
  mkdirSync(join(pluginDir, 'node_modules'));
  agent = await startAgent({
    config: {
      plugin_dir: pluginDir,
      plugin: {
        mock_driver: { config: { fs_isolation: 'none' }, auto_mtls: true },
        raw_exec: { config: { enabled: true } },
        script: { args: [join(files, 'script')], config: { interpreters: ['/bin/sh'] } },
        mute: {},
        liar: {},
        dead: {},
        off: { enabled: false },
        java: { enabled: false },
      },
      client: { options: { 'driver.denylist': 'qemu' } },
    },
  });
  await eventually(async () => {
    const { value } = await agent.client.nodes.list();
    if (value[0]?.Status !== 'ready') throw new Error('the node is not ready');
  });
});

afterAll(async () => {
  await agent.dispose();
  rmSync(files, { recursive: true, force: true });
});

async function node() {
  const { value: nodes } = await agent.client.nodes.list();
  return (await agent.client.nodes.read(nodes[0]!.ID)).value;
}

function pluginPid(name: string): number {
  const path = join(agent.directory, 'data/client/plugins', name, 'plugin.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { pid: number }).pid;
}

async function allocationOf(job: string) {
  const { value } = await agent.client.allocations.list();
  const row = value.find((each) => each.JobID === job);
  if (row === undefined) throw new Error(`no allocation of ${job}`);
  return row;
}

const waitFor = (job: string, state: string) =>
  eventually(async () => {
    const row = await allocationOf(job);
    if (row.ClientStatus !== state) throw new Error(`${job} is ${row.ClientStatus}: ${JSON.stringify(row.TaskStates)}`);
    return row;
  }, 90_000);

describe('an agent with a plugin_dir', () => {
  it('uses what is a plugin and says of the rest why it does not', async () => {
    const { Drivers } = await node();
    expect(Drivers?.['mock_driver']).toMatchObject({ Detected: true, Healthy: true });
    expect(Drivers?.['raw_exec']).toMatchObject({ Detected: true, Healthy: true });
    expect(Drivers?.['liar']).toMatchObject({
      Healthy: false,
      HealthDescription: expect.stringMatching(/too few fields/),
    });
    expect(Drivers?.['dead']).toMatchObject({
      Healthy: false,
      HealthDescription: expect.stringMatching(/no engine here/),
    });
    expect(Drivers?.['exec']).toBeDefined();
    expect(['off', 'java', 'qemu'].filter((name) => Drivers?.[name] !== undefined)).toEqual([]);
    const log = agent.log();
    expect(log).toMatch(/takes the place of a built-in driver.*mock_driver/);
    expect(log).toMatch(/passed over.*dangling.*cannot be read/);
    expect(log).toMatch(/passed over.*node_modules.*directory/);
    expect(log).toMatch(/passed over.*notes.txt.*not executable/);
    expect(log).toMatch(/passed over.*unnamed.*no plugin block/);
    expect(log).toMatch(/passed over.*off.*enabled = false/);
    expect(log).toContain('is read as plugin "qemu" { enabled = false }');
  });

  it('runs a job through it: options, output, exit code', async () => {
    const config = 'stdout_string = "hello ${NOMAD_TASK_NAME}"\nrun_for = "300ms"\nexit_code = 7';
    await runCli(agent, ['job', 'run', '-detach', jobFile('codes', 'mock_driver', config)]);
    const row = await waitFor('codes', 'failed');
    expect(JSON.stringify(row.TaskStates)).toContain('Exit Code: 7');
    await eventually(async () => {
      const { stdout } = await runCli(agent, ['alloc', 'logs', row.ID, 't']);
      if (!stdout.includes('hello t')) throw new Error(`printed ${JSON.stringify(stdout)}`);
    });
  });

  it('runs a job through a driver that its author wrote in forty lines', async () => {
    await runCli(agent, [
      'job',
      'run',
      '-detach',
      jobFile('forty', 'script', 'script = "echo said $1; exit 3"\nargs = ["so"]'),
    ]);
    const row = await waitFor('forty', 'failed');
    expect(JSON.stringify(row.TaskStates)).toContain('Exit Code: 3');
    const { stdout } = await runCli(agent, ['alloc', 'logs', row.ID, 't']);
    expect(stdout).toBe('said so\n');
    await runCli(agent, [
      'job',
      'run',
      '-detach',
      jobFile('denied', 'script', 'script = "x"\ninterpreter = "/bin/false"'),
    ]);
    expect(JSON.stringify((await waitFor('denied', 'failed')).TaskStates)).toContain('is not allowed on this node');
  });

  it('is told before what a plugin would refuse; one that does not tell is named as not asked', async () => {
    const explain = async (name: string, driver: string, config: string) =>
      (await runCli(agent, ['explain', jobFile(name, driver, config)])).stdout;
    const absent = await explain('absent', 'raw_exec', 'command = "/no/such/program"');
    expect(absent).toMatch(
      /Would be refused at the start:\n.*\n\S+ +t +failed to launch .*"\/no\/such\/program" could not be/,
    );
    const there = await explain('there', 'raw_exec', 'command = "/bin/true"');
    expect(there).not.toMatch(/refuse/);
    const shell = await explain('shell', 'script', 'script = "x"\ninterpreter = "/bin/false"');
    expect(shell).toMatch(/Would be refused at the start:\n.*\n\S+ +t +the interpreter \/bin\/false is not allowed/);
    expect(await explain('allowed', 'script', 'script = "true"')).not.toMatch(/refuse/);
    expect(await explain('silent', 'mute', '')).toMatch(
      /Not asked what it would refuse:\n.*\nt +driver "mute": its plugin does not tell before a start +1/,
    );
  });

  it('tells a wrong option of it as the event of a failed start', async () => {
    const path = jobFile('wrong', 'mock_driver', 'exit_cod = 7');
    await runCli(agent, ['job', 'run', '-detach', '-ignore-driver-config', path]);
    const row = await waitFor('wrong', 'failed');
    expect(JSON.stringify(row.TaskStates)).toContain('No argument or block type is named');
    expect(JSON.stringify(row.TaskStates)).toContain('exit_code');
  });

  it.each([
    ['mock_driver', 'exit_cod = 7', /no argument or block type is named "exit_cod".*"exit_code"/i],
    ['script', 'scrip = "x"', /"scrip".*Did you mean "script"/],
    ['raw_exec', 'command = ["a"]', /string is required/],
  ])(
    'tells a wrong option of %s when the job is submitted, validated and planned, with its line',
    async (driver, config, says) => {
      const path = jobFile(`early-${driver}`, driver, config);
      for (const command of [['validate'], ['run', '-detach'], ['plan']]) {
        const { code, stderr } = await runCli(agent, ['job', ...command, path]);
        expect(stderr).toMatch(says);
        expect(stderr).toMatch(new RegExp(`early-${driver}.nomad.hcl:11,`));
        expect(code).toBe(1);
      }
      const { value } = await agent.client.jobs.list();
      expect(value.map(({ ID }) => ID)).not.toContain(`early-${driver}`);
      const right = 'run_for = "${NOMAD_META_time}"\nexit_code = "${meta.code}"';
      const { code } = await runCli(agent, ['job', 'validate', jobFile('unknown', 'mock_driver', right)]);
      expect(code).toBe(0);
    },
  );

  it.each([
    ['mock_driver', 'run_for = "6s"\nexit_code = 5'],
    ['raw_exec', 'command = "/bin/sh"\nargs = ["-c", "echo before; sleep 6; echo after; exit 5"]'],
  ])('outlives the death of %s: the task goes on and its exit code is kept', async (driver, config) => {
    const job = `outlives-${driver}`;
    await runCli(agent, ['job', 'run', '-detach', jobFile(job, driver, config)]);
    await waitFor(job, 'running');
    const before = pluginPid(driver);
    process.kill(before, 'SIGKILL');
    const row = await waitFor(job, 'failed');
    expect(JSON.stringify(row.TaskStates)).toContain('Exit Code: 5');
    expect(row.TaskStates?.['t']?.Restarts).toBe(0);
    expect(pluginPid(driver)).not.toBe(before);
    if (driver !== 'raw_exec') return;
    const { stdout } = await runCli(agent, ['alloc', 'logs', row.ID, 't']);
    expect(stdout).toBe('before\nafter\n');
  });

  it('finds plugin and task again after a crash of the agent', async () => {
    await runCli(agent, [
      'job',
      'run',
      '-detach',
      jobFile('crash', 'raw_exec', 'command = "/bin/sh"\nargs = ["-c", "echo one; sleep 8; echo two; exit 6"]'),
    ]);
    await waitFor('crash', 'running');
    const before = pluginPid('raw_exec');
    await agent.crash();
    agent = await agent.restart();
    expect(pluginPid('raw_exec')).toBe(before);
    expect(agent.log()).toMatch(/found_again=true/);
    const row = await waitFor('crash', 'failed');
    expect(JSON.stringify(row.TaskStates)).toContain('Exit Code: 6');
    // who read its output was there all the time
    const { stdout } = await runCli(agent, ['alloc', 'logs', row.ID, 't']);
    expect(stdout).toBe('one\ntwo\n');
  });
});
