import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EngineDriver, NetworkIsolation } from '../driver/contract.ts';
import { silentLog } from '../lib/log.ts';
import type { Allocation } from '../model/allocation.ts';
import type { TaskGroup } from '../model/task-group.ts';
import { type AllocationNetworks, networkIsolation } from './allocation-networks.ts';
import { GroupNetwork } from './group-network.ts';

const never = new AbortController().signal;
const group = (mode: string, ...drivers: readonly string[]): TaskGroup =>
  ({
    Networks: [{ Mode: mode, Hostname: 'web' }],
    Tasks: drivers.map((Driver, at) => ({ Name: `t${at}`, Driver })),
  }) as unknown as TaskGroup;

function opened() {
  const calls: string[] = [];
  const making = (name: string): EngineDriver =>
    ({
      info: { name, networkModes: ['group', 'task', 'none'] },
      createNetwork: async (allocId: string, hostname: string) => {
        calls.push(`create ${name} ${allocId} ${hostname}`);
        const network: NetworkIsolation = { mode: 'group', path: `/run/${name}`, labels: { pause: 'p1' } };
        return { network, created: calls.length === 1 };
      },
      destroyNetwork: async (allocId: string, { path }: NetworkIsolation) => {
        calls.push(`destroy ${name} ${allocId} ${path}`);
      },
    }) as unknown as EngineDriver;
  const plain = { info: { name: 'plain', networkModes: ['host', 'group', 'none'] } } as unknown as EngineDriver;
  const engines = new Map([
    ['pod', making('pod')],
    ['vm', making('vm')],
    ['plain', plain],
  ]);
  const network = new GroupNetwork('a1', {
    networks: null,
    wildcard: false,
    engine: (driver) => engines.get(driver),
    log: silentLog,
  });
  return { network, calls };
}

describe('the network of a group with a driver that makes networks', () => {
  it('is made by that driver, handed to every task as it gave it, and taken away by it', async () => {
    const { network, calls } = opened();
    const of = group('none', 'plain', 'pod');
    await network.open({ ID: 'a1' } as Allocation, of, false, never);
    expect(networkIsolation(of, network.made, String)).toEqual({
      mode: 'group',
      path: '/run/pod',
      labels: { pause: 'p1' },
    });
    // as after a restart of the agent
    await network.open({ ID: 'a1' } as Allocation, of, true, never);
    await network.leave(null);
    expect(calls).toEqual(['create pod a1 web', 'create pod a1 web', 'destroy pod a1 /run/pod']);
  });

  it('is taken away by that driver too where the tasks ended while no agent ran', async () => {
    const { network, calls } = opened();
    await network.leave(group('none', 'plain', 'pod'));
    expect(calls).toEqual(['create pod a1 web', 'destroy pod a1 /run/pod']);
  });

  it('is not made for the end of a group of which nothing ran', async () => {
    const { network, calls } = opened();
    await network.leave(null);
    expect(calls).toEqual([]);
  });

  it('is asked of no driver where the group is on the network of the host', async () => {
    const { network, calls } = opened();
    await network.open({ ID: 'a1' } as Allocation, group('host', 'pod'), false, never);
    await network.leave(null);
    expect(calls).toEqual([]);
    expect(network.made).toBeNull();
  });

  it.each([
    ['two drivers make networks', group('none', 'pod', 'vm'), /"pod" and "vm" both make/],
    ['it is to be on the bridge', group('bridge', 'pod'), /not put on the bridge yet/],
    [
      'no driver makes the network that mode "driver" asks for',
      group('driver', 'plain'),
      /does not support network mode "driver"/,
    ],
  ])('is refused with the reason where %s', async (_, of, reason) => {
    const { network } = opened();
    await expect(network.open({ ID: 'a1' } as Allocation, of, false, never)).rejects.toThrow(reason);
  });
});

describe('a network that cannot be removed at once', () => {
  afterEach(() => void vi.useRealTimers());

  it('holds up nobody, and is removed once it can be: its ports are of use to others', async () => {
    vi.useFakeTimers();
    const outcomes = ['spawn nft EMFILE', 'spawn nft EMFILE', ''];
    const released: string[] = [];
    const networks = {
      find: () => null,
      release: async (allocId: string) => {
        const problem = outcomes.shift();
        if (problem) throw new Error(problem);
        released.push(allocId);
      },
    } as unknown as AllocationNetworks;
    const network = new GroupNetwork('a1', { networks, wildcard: false, engine: () => undefined, log: silentLog });
    await network.leave(null);
    expect(released).toEqual([]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(released).toEqual(['a1']);
    expect(vi.getTimerCount(), 'tries to come').toBe(0);
  });
});
