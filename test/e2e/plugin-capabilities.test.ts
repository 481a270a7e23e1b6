// A plugin that asks its host for more than a task: users of single tasks, directories that are not hidden, networks of its own making.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { shellJob } from './jobs.ts';

const isRoot = process.getuid?.() === 0;
const files = mkdtempSync(join(tmpdir(), 'drover-capable-'));
const calls = join(files, 'calls');
const sick = join(files, 'sick');
let agent: AgentProcess;

/** Runs a shell as the user it is given, and keeps its end in memory, as the process outlives an agent. */
const driver = `#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { definePlugin, Fault, fingerprints, option, serve } from 'drover/driver';
const tasks = new Map();
const say = (text) => appendFileSync(${JSON.stringify(calls)}, text + '\\n');
const known = (id) => {
  if (!tasks.has(id)) throw new Fault('not_found', 'task not found');
  return tasks.get(id);
};
const plugin = definePlugin({
  pluginName: 'capable', version: '1.0.0', configSchema: {},
  taskSchema: { command: option.string({ required: true }), args: option.list(option.string()) },
  create: () => ({
    info: { name: 'capable', version: '1.0.0', filesystem: 'unveil', networkModes: ['host', 'group'], mounts: false, dynamicUsers: true },
    fingerprint: (signal) => fingerprints(() => existsSync(${JSON.stringify(sick)})
      ? { health: 'unhealthy', description: 'its engine is away', attributes: {} }
      : { health: 'healthy', description: 'Healthy', attributes: {} }, signal, 200),
    async start(task) {
      const uid = Number(/^nomad-(\\d+)$/.exec(task.user)?.[1]);
      say('user ' + task.name + ' ' + task.user + ' ' + (task.network?.path ?? ''));
      const child = spawn(task.config.command, task.config.args, { uid, gid: uid, env: task.env, cwd: '/', stdio: 'ignore' });
      const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ exitCode: code ?? 1, signal: signal ? 9 : 0, oomKilled: false })));
      tasks.set(task.id, { child, ended, startedAt: BigInt(Date.now()) * 1000000n });
      return { state: { version: 1 } };
    },
    async recover(task) { known(task.id); return { state: { version: 1 } }; },
    wait: (id) => known(id).ended,
    async stop(id) { known(id).child.kill('SIGKILL'); await known(id).ended; },
    async destroy(id) { known(id).child.kill('SIGKILL'); tasks.delete(id); },
    async inspect(id) { return { state: 'running', startedAt: known(id).startedAt, completedAt: null, exit: null, attributes: {} }; },
    async createNetwork(allocId) {
      say('create ' + allocId);
      return { created: true, network: { mode: 'group', path: '/run/netns/' + allocId, labels: { of: allocId } } };
    },
    async destroyNetwork(allocId, network) { say('destroy ' + allocId + ' ' + network.labels.of); },
    async close() {},
  }),
});
await serve(plugin);
`;

beforeAll(async () => {
  mkdirSync(join(files, 'plugins'));
  mkdirSync(join(files, 'node_modules'));
  symlinkSync(resolve(import.meta.dirname, '../..'), join(files, 'node_modules/drover'));
  writeFileSync(join(files, 'capable.mjs'), driver);
  chmodSync(join(files, 'capable.mjs'), 0o755);
  symlinkSync(join(files, 'capable.mjs'), join(files, 'plugins/capable'));
  agent = await startAgent({ config: { plugin_dir: join(files, 'plugins'), plugin: { capable: {} } } });
  await eventually(async () => {
    const { value } = await agent.client.nodes.list();
    if (value[0]?.Drivers?.['capable']?.Healthy !== true) throw new Error('the driver is not there');
  }, 90_000);
});

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
  }, 90_000);
}

const said = (): string => (existsSync(calls) ? readFileSync(calls, 'utf8') : '');

describe.skipIf(!isRoot)(`a plugin of many capabilities${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  it('gets a user for each task, who owns its secrets and reaches its directories by their own paths', async () => {
    const script = [
      'set -e',
      'touch "$NOMAD_TASK_DIR/mine" "$NOMAD_ALLOC_DIR/data/$NOMAD_TASK_NAME"',
      'echo secret > "$NOMAD_SECRETS_DIR/mine"',
      '[ "$(id -u)" -ge 80000 ] && [ "$(id -u)" -le 89999 ]',
      'sleep 30',
    ].join('; ');
    const job = shellJob('users', script, { type: 'batch', driver: 'capable' });
    const [task] = job.TaskGroups![0]!.Tasks!;
    await agent.client.jobs.register({
      ...job,
      TaskGroups: [{ ...job.TaskGroups![0]!, Tasks: [task!, { ...task!, Name: 'other' }] }],
    });
    const { ID } = await become('users', 'running');
    const directory = join(agent.directory, 'data/alloc', ID);
    await eventually(async () => expect(existsSync(join(directory, 't/secrets/mine'))).toBe(true));
    const users = [...said().matchAll(/^user (\S+) nomad-(\d+)/gm)].map(
      ([, name, uid]) => [name, Number(uid)] as const,
    );
    const [mine, other] = ['t', 'other'].map((name) => users.find(([of]) => of === name)?.[1]);
    expect(mine).not.toBe(other);
    for (const name of ['secrets', 'private']) {
      const { uid, mode } = statSync(join(directory, 't', name));
      expect({ uid, mode: mode & 0o777 }).toEqual({ uid: mine, mode: 0o700 });
    }
    const row = await become('users', 'running');
    expect(JSON.stringify(row.TaskStates)).not.toContain('Exit Code');
    await agent.client.jobs.deregister('users', { purge: false });
    await become('users', 'complete');
  });

  it('takes away the network of an allocation, also of one that ended while no agent ran', async () => {
    const networked = (name: string, script: string) => {
      const job = shellJob(name, script, { type: 'batch', driver: 'capable' });
      const [group] = job.TaskGroups!;
      return agent.client.jobs.register({ ...job, TaskGroups: [{ ...group!, Networks: [{ Mode: 'none' }] }] });
    };
    await networked('short', 'sleep 1');
    const first = await become('short', 'complete');
    await eventually(async () => expect(said()).toContain(`destroy ${first.ID} ${first.ID}\n`));
    expect(said()).toMatch(new RegExp(`^user t nomad-\\d+ /run/netns/${first.ID}$`, 'm'));
    await networked('alone', 'sleep 3');
    const { ID } = await become('alone', 'running');
    await agent.crash();
    await sleep(3500);
    expect(said()).not.toContain(`destroy ${ID}`);
    agent = await agent.restart();
    await become('alone', 'complete');
    await eventually(async () => expect(said()).toContain(`destroy ${ID} ${ID}\n`));
    expect(said().match(new RegExp(`^destroy ${first.ID}`, 'gm'))).toHaveLength(1);
    const { stdout } = await runCli(agent, ['driver', 'list']);
    expect(stdout).toMatch(/^capable .* up$/m);
  });

  it('is listed as what it says of itself', async () => {
    const shows = (status: RegExp) =>
      eventually(async () => expect((await runCli(agent, ['driver', 'list'])).stdout).toMatch(status));
    writeFileSync(sick, '');
    await shows(/^capable .* unhealthy: its engine is away$/m);
    rmSync(sick);
    await shows(/^capable .* up$/m);
  });
});
