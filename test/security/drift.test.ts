/**
 * What somebody else on the host takes away from running tasks, or from the node: it is said, and done what the demands say. Controls: a
 * task that nobody touches, a job that wants less.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { compileAttacks } from './attack-program.ts';

const limited = (id: string, isolation: Record<string, unknown>) => ({
  ID: id,
  Name: id,
  Type: 'service',
  Datacenters: ['*'],
  Isolation: isolation,
  TaskGroups: [
    {
      Name: 'g',
      RestartPolicy: { Attempts: 1, Mode: 'fail', Interval: 1_800_000_000_000, Delay: 0 },
      ReschedulePolicy: {
        Attempts: 1,
        Interval: 1_800_000_000_000,
        Delay: 5_000_000_000,
        DelayFunction: 'constant',
        Unlimited: false,
      },
      Tasks: [
        {
          Name: 't',
          Driver: 'exec',
          KillTimeout: 200_000_000,
          Config: { command: '/bin/sleep', args: ['3000'] },
          Resources: { CPU: 50, MemoryMB: 64 },
        },
      ],
    },
  ],
});

const hierarchies = ['/sys/fs/cgroup', '/sys/fs/cgroup/pids', '/sys/fs/cgroup/memory'];

/** The groups of an allocation's newest start that limit something. */
function groupsOf(alloc: string): readonly string[] {
  return hierarchies
    .map((each) => join(each, 'drover.slice'))
    .filter((parent) => existsSync(parent))
    .flatMap((parent) =>
      readdirSync(parent)
        .filter((name) => name.startsWith(alloc))
        .map((name) => join(parent, name)),
    );
}

/** Whatever bounds the task's processes is gone. */
function unbound(alloc: string): void {
  const [file] = groupsOf(alloc)
    .map((path) => join(path, 'pids.max'))
    .filter((path) => existsSync(path));
  writeFileSync(file!, 'max');
}

const root = process.getuid?.() === 0;
const cgroups = readFileSync('/proc/self/mountinfo', 'utf8').includes(' - cgroup');

const bwrap = '/usr/bin/bwrap';
const nft = '/usr/sbin/nft';

describe.skipIf(!root || !existsSync(bwrap))('a node that loses a mechanism', () => {
  let agent: AgentProcess;

  beforeAll(async () => {
    agent = await startAgent({
      config: { plugin: { exec: { config: { isolation: [{ runtimes: ['bwrap'] }] } } } },
      wrap: (command) => ['unshare', '--mount', '--propagation', 'private', ...command],
    });
  }, 60_000);
  afterAll(() => agent.dispose());

  const inItsView = (...command: readonly string[]) =>
    execFileSync('nsenter', ['--target', String(agent.pid), '--mount', ...command]);
  const attributes = async () => {
    const { value: nodes } = await agent.client.nodes.list();
    return (await agent.client.nodes.read(nodes[0]!.ID)).value.Attributes!;
  };
  const placed = async (job: string) => (await agent.client.jobs.allocations(job)).value.length;

  it('says so on SIGHUP, tells its running tasks, and gets no new work that wants it, until it is back', async () => {
    await agent.client.jobs.register(limited('before', { Min: 'sandbox' }));
    const alloc = await eventually(async () => {
      const { value } = await agent.client.jobs.allocations('before');
      if (value[0]?.ClientStatus !== 'running') throw new Error(`${value[0]?.ClientStatus}`);
      return value[0].ID;
    }, 60_000);
    expect((await attributes())['isolation.runtime.bwrap']).toBe('verified');

    inItsView('mount', '--bind', '/dev/null', bwrap);
    process.kill(agent.pid, 'SIGHUP');
    await eventually(async () => {
      expect(await attributes()).toMatchObject({
        'isolation.runtime.bwrap': expect.stringMatching(/not installed/),
        'driver.exec.isolation.host_network': 'process',
      });
    }, 60_000);
    await eventually(async () => {
      const { Events, State } = (await agent.client.allocations.read(alloc)).value.TaskStates!['t']!;
      expect(State).toBe('running');
      expect(Events!.map(({ DisplayMessage }) => DisplayMessage)).toContainEqual(
        expect.stringMatching(/^the node lost runtime.bwrap — .*; fix: .*another start would lack .*mount_namespace/),
      );
    }, 60_000);
    await agent.client.jobs.register(limited('after', { Min: 'sandbox' }));
    await agent.client.jobs.register(limited('control', { Min: 'process' }));
    await eventually(async () => expect(await placed('control')).toBe(1), 60_000);
    expect(await placed('after')).toBe(0);

    inItsView('umount', bwrap);
    process.kill(agent.pid, 'SIGHUP');
    await eventually(async () => expect(await placed('after')).toBe(1), 60_000);
  }, 240_000);
});

describe.skipIf(!root || !existsSync(nft))('a node that can make no networks any more', () => {
  let agent: AgentProcess;

  beforeAll(async () => {
    agent = await startAgent({
      config: { client: { options: { 'driver.allowlist': 'raw_exec' } } },
      wrap: (command) => ['unshare', '--mount', '--propagation', 'private', ...command],
    });
  }, 60_000);
  afterAll(() => agent.dispose());

  it('says so on SIGHUP, and is given no job that wants one, until it can again', async () => {
    const inItsView = (...command: readonly string[]) =>
      execFileSync('nsenter', ['--target', String(agent.pid), '--mount', ...command]);
    const bridged = (id: string) => {
      const job = limited(id, {});
      const [group] = job.TaskGroups;
      return {
        ...job,
        TaskGroups: [
          { ...group!, Networks: [{ Mode: 'bridge' }], Tasks: [{ ...group!.Tasks[0]!, Driver: 'raw_exec' }] },
        ],
      };
    };
    const bridge = async () => {
      const { value: nodes } = await agent.client.nodes.list();
      return (await agent.client.nodes.read(nodes[0]!.ID)).value.Attributes?.['isolation.network.bridge'];
    };
    const placed = async (job: string) => (await agent.client.jobs.allocations(job)).value.length;
    await eventually(async () => expect(await bridge()).toBe('verified'));
    await agent.client.jobs.register(bridged('control'));
    await eventually(async () => expect(await placed('control')).toBe(1));

    inItsView('mount', '--bind', '/dev/null', nft);
    process.kill(agent.pid, 'SIGHUP');
    await eventually(async () => expect(await bridge()).toMatch(/nft is not installed/));
    await agent.client.jobs.register(bridged('after'));
    await eventually(async () => {
      const { value } = await agent.client.jobs.evaluations('after');
      expect(value.map(({ Status }) => Status)).toContain('blocked');
    });
    expect(await placed('after')).toBe(0);

    inItsView('umount', nft);
    process.kill(agent.pid, 'SIGHUP');
    await eventually(async () => expect(await placed('after')).toBe(1));
  }, 240_000);
});

describe.skipIf(!root || !cgroups)('a running task that loses a limit', () => {
  let agent: AgentProcess;
  const plant = mkdtempSync(join(tmpdir(), 'drover-drift-'));

  beforeAll(async () => {
    chmodSync(plant, 0o755);
    compileAttacks(join(plant, 'attack'));
    const client = {
      isolation: { recheck_interval: '200ms' },
      host_volume: { plant: { path: plant, read_only: true } },
    };
    agent = await startAgent({ config: { client } });
  }, 60_000);
  afterAll(async () => {
    await agent.dispose();
    rmSync(plant, { recursive: true, force: true });
  });

  async function running(job: string) {
    return eventually(async () => {
      const { value } = await agent.client.jobs.allocations(job);
      const row = value.find((each) => each.ClientStatus === 'running');
      if (row === undefined) throw new Error(`${job}: ${value[0]?.ClientStatus}`);
      return row.ID;
    }, 90_000);
  }
  const begin = async (id: string, isolation: Record<string, unknown>) => {
    await agent.client.jobs.register(limited(id, isolation));
    return running(id);
  };
  const stateOf = async (alloc: string) => (await agent.client.allocations.read(alloc)).value.TaskStates!['t']!;
  const degraded = (alloc: string) =>
    eventually(async () => {
      const state = await stateOf(alloc);
      const event = state.Events!.find(({ Type }) => Type === 'Isolation Degraded');
      if (event === undefined) throw new Error('no event yet');
      return event.DisplayMessage;
    }, 90_000);

  it('is left running, with its loss said in an event and its report, where it asks for no more', async () => {
    const [touched, control] = [await begin('warned', { OnDegrade: 'warn', Min: 'process' }), await begin('left', {})];
    unbound(touched);
    expect(await degraded(touched)).toMatch(
      /^pids_limit no longer holds — pids.max max; fix: .*start the task anew.*rung "none" now$/,
    );
    expect((await stateOf(touched)).State).toBe('running');
    const { value: reports } = await agent.client.allocations.isolation(touched);
    expect(reports['t']).toMatchObject({ rung: 'none' });
    const lost = reports['t']!.mechanisms.filter(({ state }) => state === 'unavailable').map(({ name }) => name);
    expect(lost).toEqual(expect.arrayContaining(['pids_limit', 'cgroup_limits']));
    const types = (await stateOf(control)).Events!.map(({ Type }) => Type);
    expect(types).toContain('Isolation Verified');
    expect(types).not.toContain('Isolation Degraded');
  }, 90_000);

  it('is looked at by any thread of its that is left, once the first has ended', async () => {
    const job = limited('threads', { OnDegrade: 'warn' });
    const [group] = job.TaskGroups;
    const task = {
      ...group!.Tasks[0]!,
      Config: { command: '/plant/attack', args: ['leave'] },
      VolumeMounts: [{ Volume: 'plant', Destination: '/plant', ReadOnly: true }],
    };
    const volumes = { plant: { Name: 'plant', Type: 'host', Source: 'plant', ReadOnly: true } };
    await agent.client.jobs.register({ ...job, TaskGroups: [{ ...group!, Volumes: volumes, Tasks: [task] }] });
    const alloc = await running('threads');
    const [procs] = groupsOf(alloc).map((path) => join(path, 'cgroup.procs'));
    await eventually(async () => {
      const pids = readFileSync(procs!, 'utf8').trim().split('\n');
      const states = pids.map((pid) => /^State:\t(.)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      expect(states).toContain('Z');
    }, 30_000);
    // nothing that the ended thread cannot tell counts as lost
    await sleep(2_000);
    expect((await stateOf(alloc)).Events!.map(({ Type }) => Type)).not.toContain('Isolation Degraded');
    unbound(alloc);
    expect(await degraded(alloc)).toMatch(/^pids_limit no longer holds — pids.max max; /);
  }, 120_000);

  it('is started anew, under its limit, where its floor is hit and nothing else was said', async () => {
    const alloc = await begin('floored', { Min: 'process' });
    const [before] = groupsOf(alloc);
    unbound(alloc);
    await degraded(alloc);
    await eventually(async () => {
      expect(await stateOf(alloc)).toMatchObject({ State: 'running', Restarts: 1, Failed: false });
    }, 90_000);
    expect(groupsOf(alloc)).not.toContain(before);
    const { value } = await agent.client.allocations.isolation(alloc);
    expect(value['t']!.mechanisms.find(({ name }) => name === 'pids_limit')).toMatchObject({ state: 'verified' });
  }, 90_000);

  it('fails, and is placed anew, where it is to be stopped', async () => {
    const alloc = await begin('stopped', { Min: 'process', OnDegrade: 'stop' });
    unbound(alloc);
    await eventually(async () => {
      expect((await agent.client.allocations.read(alloc)).value.ClientStatus).toBe('failed');
    }, 90_000);
    expect(await stateOf(alloc)).toMatchObject({ State: 'dead', Failed: true });
    expect(
      await eventually(async () => {
        const next = await running('stopped');
        if (next === alloc) throw new Error('not yet');
        return next;
      }, 30_000),
    ).not.toBe(alloc);
  }, 90_000);
});
