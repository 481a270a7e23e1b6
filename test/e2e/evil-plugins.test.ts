// An agent with eighty plugins in its plugin_dir, each of which lies in its own way.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { shimsOf } from '../processes.ts';
import { runCli } from './cli.ts';
import { lies } from './evil-lies.ts';
import { info, type Lie, layPlugin, report } from './evil-plugin.ts';
import { shellJob } from './jobs.ts';

const files = mkdtempSync(join(tmpdir(), 'drover-evil-'));
const named: readonly (readonly [string, Lie])[] = lies.map((lie, at) => [`evil-${at}`, lie]);
/** Lies about others, which are no fault that its own health could name. */
const impostor: Lie = {
  says: 'it speaks for others',
  fault: /./,
  streams: {
    fingerprint: {
      messages: [
        report({
          attributes: {
            'driver.raw_exec': { value: { case: 'stringVal', value: 'mine' } },
            'driver.raw_exec.isolation': { value: { case: 'stringVal', value: 'vm' } },
            'kernel.name': { value: { case: 'stringVal', value: 'plan9' } },
            'driver.impostor.size': { value: { case: 'intVal', value: 3n } },
          } as never,
        }),
      ],
      end: false,
    },
  },
};
const device: Lie = {
  says: 'it is a device plugin',
  fault: /./,
  calls: { pluginInfo: info({ type: 3, name: 'gpu' }) },
};
const servers: Server[] = [];
let agent: AgentProcess;

/** What is waited for comes never: the wait is short. Whoever answers is given the time that a busy machine takes for it. */
const quick = { call_timeout: '2s', start_timeout: '6s' };
const patient = { call_timeout: '30s', start_timeout: '60s' };
const isLate = ({ fault, calls }: Lie): boolean =>
  /within|in time/.test(fault.source) || Object.values(calls ?? {}).includes('hangs');

/** Its process ends as if killed from outside. */
function kill(name: string): void {
  try {
    process.kill(Number(readFileSync(join(files, `${name}.pid`), 'utf8')), 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
}

beforeAll(async () => {
  mkdirSync(join(files, 'plugins'));
  const all = [...named, ['impostor', impostor] as const, ['gpu', device] as const];
  for (const [name, lie] of all) servers.push(await layPlugin(files, name, lie, kill));
  writeFileSync(join(files, 'plugins/notes.txt'), 'a stray file');
  writeFileSync(join(files, 'plugins/unnamed'), '#!/bin/sh\n');
  chmodSync(join(files, 'plugins/unnamed'), 0o755);
  symlinkSync('/no/such/file', join(files, 'plugins/dangling'));
  agent = await startAgent({
    config: {
      plugin_dir: join(files, 'plugins'),
      plugin: {
        raw_exec: { config: { enabled: true } },
        ...Object.fromEntries(all.map(([name, lie]) => [name, { ...(isLate(lie) ? quick : patient), ...lie.block }])),
      },
    },
  });
  await eventually(async () => {
    if ((await node()).Status !== 'ready') throw new Error('the node is not ready');
  }, 60_000);
}, 120_000);

afterAll(async () => {
  await agent.interrupt();
  // some of their tasks never end, so what collects their output would wait for ever
  for (const pid of shimsOf(agent.directory)) process.kill(Number(pid), 'SIGKILL');
  await agent.dispose();
  for (const server of servers) server.forceShutdown();
  rmSync(files, { recursive: true, force: true });
});

async function node() {
  const { value } = await agent.client.nodes.list();
  return (await agent.client.nodes.read(value[0]?.ID ?? '')).value;
}

async function allocation(job: string, wanted: (status: string) => boolean) {
  return eventually(async () => {
    const { value } = await agent.client.allocations.list();
    const row = value.find(({ JobID }) => JobID === job);
    if (row === undefined || !wanted(row.ClientStatus))
      throw new Error(`${job} is ${row?.ClientStatus ?? 'not there'}`);
    return row;
  }, 90_000);
}

/** Has the lie told where it is about a task. */
async function provoke(name: string, { task }: Lie): Promise<void> {
  if (task === undefined) return;
  const job = shellJob(name, '', { type: 'batch', driver: name, task: { Config: {} } });
  await agent.client.jobs.register(job);
  if (task === 'start') return;
  const { ID } = await allocation(name, (status) => status !== 'pending');
  // each of these is refused or late, which is what it is for
  if (task === 'stop') await agent.client.jobs.deregister(name, { purge: false });
  else if (task === 'stats') await agent.client.allocations.stats(ID).catch(() => {});
  else if (task === 'signal') await agent.client.allocations.signal(ID, 'SIGHUP').catch(() => {});
  else await runCli(agent, ['alloc', 'exec', ID, 'true']).catch(() => {});
}

describe('an agent among liars', () => {
  it('has more than sixty of them', () => {
    expect(lies.length).toBeGreaterThan(60);
  });

  it.each(named.map(([name, lie]) => [lie.says, name, lie] as const))(
    'stays up and says so: %s',
    async (_, name, lie) => {
      await provoke(name, lie);
      await eventually(async () => {
        const driver = (await node()).Drivers?.[name];
        if (!lie.fault.test(driver?.HealthDescription ?? ''))
          throw new Error(`${name} is said to be ${JSON.stringify(driver?.HealthDescription)}`);
      }, 120_000);
      const other = `after-${name}`;
      await agent.client.jobs.register(shellJob(other, 'exit 0', { type: 'batch' }));
      await allocation(other, (status) => status === 'complete');
      await agent.client.jobs.deregister(other, { purge: true });
      await agent.client.jobs.deregister(name, { purge: true }).catch(() => {});
      expect((await agent.client.agent.health()).value.client?.ok).toBe(true);
    },
    300_000,
  );

  it('keeps what liars write within bounds: its own log, its state, the disk', async () => {
    expect(agent.log().length).toBeLessThan(64_000_000);
    const { value } = await agent.client.allocations.list();
    expect(JSON.stringify(value).length).toBeLessThan(4_000_000);
    const { stdout } = spawnSync('du', ['-sk', agent.directory], { encoding: 'utf8' });
    expect(Number(/^\d+/.exec(stdout)?.[0])).toBeLessThan(400_000);
  });

  it('lets a plugin speak for itself only', async () => {
    const { Attributes, Drivers } = await node();
    expect(Drivers?.['impostor']?.Healthy).toBe(true);
    expect(Attributes?.['driver.impostor.size']).toBe('3');
    expect(Attributes?.['driver.raw_exec']).toBe('1');
    expect(Attributes?.['driver.raw_exec.isolation']).not.toBe('vm');
    expect(Attributes?.['kernel.name']).toBe('linux');
  });

  it('names a device plugin as what is not supported, also to a job that asks for a device', async () => {
    // on a busy machine it says what it is after the agent has begun without it
    const { Attributes } = await eventually(async () => {
      const row = await node();
      expect(row.Drivers?.['gpu']).toBeUndefined();
      return row;
    }, 40_000);
    expect(Attributes?.['plugin.device.gpu']).toBe('not supported');
    expect(agent.log()).toMatch(/a device plugin is not used: devices are not supported by this version.*gpu/);
    const task = { Resources: { CPU: 10, MemoryMB: 32, Devices: [{ Name: 'gpu', Count: 1 }] } };
    const { value } = await agent.client.jobs.register(shellJob('wants-device', 'exit 0', { type: 'batch', task }));
    const evaluation = await eventually(async () => {
      const { value: row } = await agent.client.evaluations.read(value.EvalID);
      if (row.Status !== 'complete') throw new Error(row.Status);
      return row;
    });
    const [reason] = Object.keys(evaluation.FailedTGAllocs?.['g']?.ConstraintFiltered ?? {});
    expect(reason).toBe('missing devices: device plugins (gpu) are not supported by this version');
  });

  it('says of what is no plugin why it is passed over', () => {
    expect(agent.log()).toMatch(/passed over.*dangling.*cannot be read/);
    expect(agent.log()).toMatch(/passed over.*notes.txt.*not executable/);
    expect(agent.log()).toMatch(/passed over.*unnamed.*no plugin block/);
  });
});
