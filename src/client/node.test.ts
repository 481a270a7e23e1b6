import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compare } from './allocation-sync.ts';
import { eventTypes, exit, TestNode, testAllocation, testJob, until } from './client-test-kit.ts';
import { parseCpuList } from './fingerprint/processor.ts';
import { chooseGarbage } from './garbage.ts';

let world: TestNode;

beforeEach(() => {
  world = new TestNode();
});
afterEach(() => world.end());

const { signal } = new AbortController();
const noRestart = { RestartPolicy: { Attempts: 0, Mode: 'fail' } };
const status = (id: string): string | undefined => world.server.last(id)?.ClientStatus;

describe('a node', () => {
  it('registers what it is and what its drivers can do, in the words of job files', async () => {
    await world.start({
      meta: { rack: 'r1' },
      reserved: { cpuShares: 100, memoryMb: 64, diskMb: 10, ports: '22,80-90' },
      hostVolumes: { data: { path: '/srv/data', readOnly: true } },
      networkInterface: 'lo',
    });
    await until(() => [...world.server.nodes.values()].some((node) => node.Drivers?.['machine']?.Healthy === true));
    const node = [...world.server.nodes.values()][0]!;
    expect(node).toMatchObject({ Name: 'node1', Meta: { rack: 'r1' }, SchedulingEligibility: 'eligible' });
    expect(node.Drivers!['machine']).toMatchObject({
      Detected: true,
      HealthDescription: 'Healthy',
      Attributes: { 'driver.machine': 'true' },
    });
    expect(node.HostVolumes).toEqual({ data: { Path: '/srv/data', ReadOnly: true, ID: '' } });
    expect(node.ReservedResources).toMatchObject({
      Cpu: { CpuShares: 100 },
      Networks: { ReservedHostPorts: '22,80-90' },
    });
    const attributes = node.Attributes!;
    const present =
      'cpu.arch cpu.frequency cpu.modelname cpu.numcores cpu.reservablecores cpu.totalcompute cpu.usablecompute';
    const system =
      'kernel.arch kernel.name kernel.version memory.totalbytes nomad.version os.name os.signals os.version';
    const own =
      'unique.advertise.address unique.hostname unique.network.ip-address unique.storage.bytestotal unique.storage.volume';
    for (const name of `${present} ${system} ${own}`.split(' ')) expect(attributes[name], name).toMatch(/./);
    expect(attributes['driver.machine']).toBe('1');
    expect(Number(attributes['cpu.totalcompute'])).toBe(Number(attributes['cpu.usablecompute']) + 100);
    expect(node.NodeResources!.Cpu.CpuShares).toBe(
      Number(attributes['cpu.frequency']) * Number(attributes['cpu.numcores']),
    );
    expect(node.NodeResources!.Networks![0]).toMatchObject({ Mode: 'host', Device: 'lo', IP: '127.0.0.1' });
  });

  it('keeps to the loopback in dev mode', async () => {
    await world.start({ devMode: true });
    expect(world.client.api.node().Attributes!['unique.network.ip-address']).toBe('127.0.0.1');
  });

  it('registers again when the servers lost it', async () => {
    await world.start();
    await until(() => world.server.nodes.size === 1);
    await world.crash();
    world.server.nodes.clear();
    await world.start();
    await until(() => world.server.nodes.size === 1);
  });

  it('offers only the drivers that the operator allows', async () => {
    await world.start({ options: { 'driver.denylist': 'machine' } });
    await until(() => world.server.nodes.size === 1);
    expect([...world.server.nodes.values()][0]!.Drivers).toEqual({});
  });

  it('tells how busy the host is', async () => {
    await world.start();
    const stats = await world.client.api.hostStats(signal);
    expect(stats.Memory!.Total).toBeGreaterThan(0);
    expect(stats.CPU!.length).toBeGreaterThan(0);
    expect(stats.AllocDirStats!.Size).toBeGreaterThan(0);
  });

  it('reads lists of processors', () => {
    expect(parseCpuList('0-2,5\n')).toEqual([0, 1, 2, 5]);
    expect(parseCpuList('')).toEqual([]);
  });
});

describe('what a task is given', () => {
  const volume = { Volumes: { code: { Name: 'code', Type: 'host', Source: 'src', ReadOnly: false } } };
  const mount = {
    VolumeMounts: [{ Volume: 'code', Destination: '/code', ReadOnly: false, PropagationMode: 'private' }],
  };

  it('holds its host volumes, read-only where anybody says so', async () => {
    await world.start({ hostVolumes: { src: { path: '/home/me/src', readOnly: true } } });
    const alloc = testAllocation(testJob('vol', [{ Name: 't', ...mount }], { group: volume }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    expect(world.machine.find('t').config.mounts).toEqual([
      { taskPath: '/code', hostPath: '/home/me/src', readOnly: true, propagation: 'private' },
    ]);
  });

  it('is refused with the reason where the node has no such volume, or serves no such network', async () => {
    await world.start();
    const missing = testAllocation(testJob('novol', [{ Name: 't', ...mount, ...noRestart }], { group: volume }));
    const bridge = testAllocation(
      testJob('bridge', [{ Name: 'b', ...noRestart }], { group: { Networks: [{ Mode: 'bridge' }] } }),
    );
    world.server.put(missing);
    world.server.put(bridge);
    await until(() => status(missing.ID) === 'failed' && status(bridge.ID) === 'failed');
    const messages = [missing, bridge].map((alloc) =>
      Object.values(world.server.last(alloc.ID)!.TaskStates)[0]!.Events!.map((event) => event.DisplayMessage),
    );
    expect(messages[0]).toContain('volumes: this node has no host volume "src"');
    expect(messages[1]).toContain('network: task "b": driver "machine" does not support network mode "bridge"');
    expect(world.server.last(bridge.ID)!.ClientDescription).toContain('network mode "bridge"');
    expect(world.machine.starts).toEqual([]);
  });

  it('is refused as a whole when its configuration has unknown names', async () => {
    await world.start();
    const alloc = testAllocation(testJob('names', [{ Name: 't', Config: { args: ['${NOPE}'] }, ...noRestart }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'failed');
    const events = world.server.last(alloc.ID)!.TaskStates['t']!.Events!;
    expect(events.at(-2)).toMatchObject({ Type: 'Failed Validation' });
    expect(events.at(-2)!.DisplayMessage).toMatch(/^2 errors occurred:\n\t\* failed to parse config: \n\t\* .*NOPE/);
  });

  it.each(['user.denylist', 'user.blacklist'])('is not a user that the operator denies by %s', async (denied) => {
    await world.start({ options: { [denied]: 'root,boss', 'user.checked_drivers': 'machine' } });
    const alloc = testAllocation(testJob('boss', [{ Name: 't', User: 'boss', ...noRestart }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'failed');
    expect(world.server.last(alloc.ID)!.TaskStates['t']!.Events!.at(-2)!.DisplayMessage).toContain(
      'running as user "boss" is disallowed',
    );
  });

  it('comes along from the allocation it replaces where the disk is sticky', async () => {
    await world.start();
    const job = testJob('sticky', [{ Name: 't' }], {
      type: 'service',
      group: { EphemeralDisk: { Sticky: true, SizeMB: 10 } },
    });
    const old = testAllocation(job);
    world.server.put(old);
    await until(() => status(old.ID) === 'running');
    writeFileSync(join(world.allocDir, old.ID, 'alloc/data/db'), 'rows');
    writeFileSync(join(world.allocDir, old.ID, 't/local/own'), 'mine');
    const next = testAllocation(job, { PreviousAllocation: old.ID });
    world.server.put(next);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(world.machine.starts).toHaveLength(1);
    world.server.edit(old.ID, { DesiredStatus: 'stop' });
    await until(() => status(next.ID) === 'running');
    expect(readFileSync(join(world.allocDir, next.ID, 'alloc/data/db'), 'utf8')).toBe('rows');
    expect(readFileSync(join(world.allocDir, next.ID, 't/local/own'), 'utf8')).toBe('mine');
  });
});

describe('what ended allocations left', () => {
  it('is collected on request, and they are still known', async () => {
    await world.start();
    const alloc = testAllocation(testJob('gc', [{ Name: 't' }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    const { api } = world.client;
    await expect(api.collectGarbage(alloc.ID, signal)).rejects.toThrow('is still running');
    world.machine.find('t').end(exit(0));
    await until(() => status(alloc.ID) === 'complete');
    await api.collectGarbage(alloc.ID, signal);
    expect(readdirSync(world.allocDir)).toEqual([]);
    await expect(api.list(alloc.ID, '/', signal)).rejects.toThrow(
      `open ${join(world.allocDir, alloc.ID)}: no such file or directory`,
    );
    await expect(api.list('nope', '/', signal)).rejects.toThrow('Unknown allocation "nope"');
    expect(world.machine.starts).toHaveLength(1);
    await world.crash();
    await world.start();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(world.machine.starts).toHaveLength(1);
  });

  it('is collected by itself beyond the limit, oldest first', async () => {
    await world.start({ gcIntervalMs: 20, gcMaxAllocs: 1, gcDiskUsageThreshold: 101 });
    const allocs = ['one', 'two'].map((name) => testAllocation(testJob(name, [{ Name: name }])));
    for (const alloc of allocs) {
      world.server.put(alloc);
      await until(() => status(alloc.ID) === 'running');
      world.machine.live()[0]!.end(exit(0));
      await until(() => status(alloc.ID) === 'complete');
    }
    await until(() => !existsSync(join(world.allocDir, allocs[0]!.ID)));
    expect(existsSync(join(world.allocDir, allocs[1]!.ID))).toBe(true);
  });

  it('is chosen by age, for the number and for the disk', () => {
    const ended = [
      { id: 'b', endedAtMs: 2 },
      { id: 'a', endedAtMs: 1 },
    ];
    expect(chooseGarbage(ended, 12, 10, { maxAllocs: 10, diskUsageThreshold: 80 })).toEqual(['a', 'b']);
    expect(chooseGarbage(ended, 2, 90, { maxAllocs: 10, diskUsageThreshold: 80 })).toEqual(['a']);
    expect(chooseGarbage(ended, 2, 10, { maxAllocs: 10, diskUsageThreshold: 80 })).toEqual([]);
  });
});

describe('in step with the servers', () => {
  it('reads what is new or changed and drops what is gone', () => {
    const known = new Map([
      ['same', 5],
      ['changed', 5],
      ['gone', 5],
    ]);
    const watch = { index: 9, allocations: { same: 5, changed: 7, new: 1 } };
    expect(compare(watch, known)).toEqual({ read: ['changed', 'new'], gone: ['gone'] });
  });

  it('ends what must not outlive their absence', async () => {
    await world.start();
    const disconnect = { Disconnect: { LostAfter: 0, StopOnClientAfter: 300e6, Replace: null, Reconcile: '' } };
    const alloc = testAllocation(testJob('bound', [{ Name: 't' }], { type: 'service', group: disconnect }));
    const free = testAllocation(testJob('free', [{ Name: 'f' }], { type: 'service' }));
    world.server.put(alloc);
    world.server.put(free);
    await until(() => world.client.api.runningTasks() === 2);
    world.server.down = true;
    await until(() => world.machine.live().length === 1);
    expect(world.machine.live()[0]!.config.name).toBe('f');
    world.server.down = false;
    await until(() => status(alloc.ID) === 'complete', 10_000);
    expect(eventTypes(world.server.last(alloc.ID), 't').at(-1)).toBe('Killed');
  });
});
