// New versions of a plugin while its tasks run, and a plugin that takes its time.
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DriverProgram, DriverReload } from '../../src/client/driver-programs.ts';
import { type AgentProcess, drover, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { shellJob } from './jobs.ts';

const files = mkdtempSync(join(tmpdir(), 'drover-upgrade-'));
const pluginDir = join(files, 'plugins');
const serve = (version: string, before = '') =>
  `#!/bin/sh\n# ${version}\n${before}\nexec '${process.execPath}' '${drover}' driver serve -state-dir '${join(files, 'state')}' raw_exec\n`;
let agent: AgentProcess;

/** In place of what is there, as a package manager does it. */
function install(text: string): string {
  writeFileSync(join(files, 'next'), text);
  chmodSync(join(files, 'next'), 0o755);
  renameSync(join(files, 'next'), join(pluginDir, 'raw_exec'));
  return createHash('sha256').update(text).digest('hex');
}

function configure(block: Record<string, unknown>): void {
  const path = join(agent.directory, 'agent.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...config, plugin: { raw_exec: { config: { enabled: true }, ...block } } }));
}

beforeAll(async () => {
  mkdirSync(pluginDir);
  install(serve('1'));
  agent = await startAgent({
    config: { plugin_dir: pluginDir, plugin: { raw_exec: { config: { enabled: true }, start_timeout: '60s' } } },
  });
  await eventually(async () => {
    if ((await listed()).Problem !== '') throw new Error((await listed()).Problem);
  }, 90_000);
});

afterAll(async () => {
  await agent.dispose();
  rmSync(files, { recursive: true, force: true });
});

async function listed(): Promise<DriverProgram> {
  const { stdout } = await runCli(agent, ['driver', 'list', '-json']);
  return (JSON.parse(stdout) as DriverProgram[]).find(({ File }) => File === 'raw_exec')!;
}

async function reload(): Promise<DriverReload & { readonly code: number | null }> {
  const { stdout, code } = await runCli(agent, ['driver', 'reload', '-json']);
  return { ...(JSON.parse(stdout) as DriverReload[]).find(({ File }) => File === 'raw_exec')!, code };
}

async function run(name: string, script: string): Promise<void> {
  await agent.client.jobs.register(shellJob(name, script, { type: 'batch' }));
  await become(name, 'running');
}

async function become(job: string, status: string) {
  return eventually(async () => {
    const { value } = await agent.client.allocations.list();
    const row = value.find(({ JobID }) => JobID === job);
    if (row?.ClientStatus !== status)
      throw new Error(`${job} is ${row?.ClientStatus}: ${JSON.stringify(row?.TaskStates)}`);
    return row;
  }, 60_000);
}

describe('a plugin', () => {
  it('is listed with its program, and reloading what did not change changes nothing', async () => {
    const before = await listed();
    expect(before).toMatchObject({
      Driver: 'raw_exec',
      Problem: '',
      Checksum: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
    expect(await reload()).toMatchObject({ Outcome: 'unchanged', code: 0 });
    expect((await listed()).Pid).toBe(before.Pid);
    const { stdout } = await runCli(agent, ['driver', 'list']);
    expect(stdout).toMatch(/raw_exec .* raw_exec .* up/);
    expect(stdout).toMatch(/exec .* <built in>/);
  });

  it('is replaced by a new version under its running tasks', async () => {
    const enough = join(files, 'enough');
    const script = `i=0; while [ $i -lt 60 ] || ! [ -e ${enough} ]; do [ $i -ge 60 ] || echo $i; i=$((i+1)); sleep 0.1; done; exit 9`;
    await run('goes-on', script);
    const before = await listed();
    expect(before.Tasks).toBe(1);
    const sum = install(serve('2'));
    expect(await reload()).toMatchObject({ Outcome: 'replaced', code: 0 });
    const after = await listed();
    expect(after).toMatchObject({ Checksum: `sha256:${sum}`, Tasks: 1, Problem: '' });
    expect(after.Pid).not.toBe(before.Pid);
    expect(() => process.kill(before.Pid, 0)).toThrow();
    // the new one can do with the task what the old one could
    const { value } = await agent.client.allocations.list();
    const { ID } = value.find(({ JobID }) => JobID === 'goes-on')!;
    expect((await runCli(agent, ['alloc', 'exec', ID, 'echo', 'inside'])).stdout).toBe('inside\n');
    writeFileSync(enough, '');
    const row = await become('goes-on', 'failed');
    expect(row.TaskStates?.['t']).toMatchObject({ Restarts: 0 });
    expect(JSON.stringify(row.TaskStates)).toContain('Exit Code: 9');
    const { stdout } = await runCli(agent, ['alloc', 'logs', ID, 't']);
    expect(stdout).toBe(Array.from({ length: 60 }, (_, at) => `${at}\n`).join(''));
  });

  it.each([
    ['does not start', '#!/bin/sh\nexit 3\n', /ended before its handshake/],
    ['is no plugin', '#!/bin/sh\necho hello; exec sleep 60\n', /no handshake/],
    [
      'is another driver',
      `#!/bin/sh\nexec '${process.execPath}' '${drover}' driver serve -state-dir '${join(files, 'other')}' mock_driver\n`,
      /"enabled"|mock_driver, not raw_exec/,
    ],
  ])('stays as it is where the new version %s', async (what, text, reason) => {
    const job = `stays-${what.replaceAll(' ', '-')}`;
    await run(job, 'sleep 4; exit 7');
    const before = await listed();
    install(text);
    const result = await reload();
    expect(result).toMatchObject({ Outcome: 'failed', code: 1, Reason: expect.stringMatching(reason) });
    expect(await listed()).toMatchObject({ Pid: before.Pid, Problem: '' });
    expect(JSON.stringify((await become(job, 'failed')).TaskStates)).toContain('Exit Code: 7');
  });

  it('is not replaced by a program that its block does not pin', async () => {
    const before = await listed();
    configure({ checksum: `sha256:${'0'.repeat(64)}` });
    install(serve('3'));
    const refused = await reload();
    expect(refused).toMatchObject({
      Outcome: 'failed',
      Reason: expect.stringMatching(/checksum is sha256:.*pins sha256:000/),
    });
    expect((await listed()).Pid).toBe(before.Pid);
    const sum = install(serve('3'));
    configure({ checksum: `sha256:${sum}` });
    expect(await reload()).toMatchObject({ Outcome: 'replaced' });
    expect((await listed()).Checksum).toBe(`sha256:${sum}`);
  });

  it('that takes longer than the agent waits for it still gets its tasks back', async () => {
    const end = join(files, 'end');
    await run('patient', `while ! [ -e ${end} ]; do sleep 0.1; done; exit 5`);
    const { Pid } = await listed();
    await agent.crash();
    process.kill(Pid, 'SIGKILL');
    install(serve('4', 'sleep 24'));
    configure({ start_timeout: '60s' });
    agent = await startAgent({
      directory: agent.directory,
      port: agent.port,
      config: { plugin_dir: pluginDir, plugin: { raw_exec: { config: { enabled: true }, start_timeout: '60s' } } },
    });
    await eventually(async () => expect(await listed()).toMatchObject({ Problem: '', Tasks: 1 }), 60_000, 500);
    writeFileSync(end, '');
    const row = await become('patient', 'failed');
    expect(JSON.stringify(row.TaskStates)).toContain('Exit Code: 5');
    expect(row.TaskStates?.['t']?.Restarts).toBe(0);
  }, 120_000);
});
