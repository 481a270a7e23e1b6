import { expect, it } from 'vitest';
import { fill } from '../model/fill.ts';
import { HostStats } from '../model/host-stats.ts';
import { Node } from '../model/node.ts';
import { type KnownAllocation, nodeGauges } from './metrics.ts';

const node = fill(Node, {
  ID: 'n1',
  Datacenter: 'dc1',
  NodePool: 'default',
  Status: 'ready',
  Attributes: { 'unique.hostname': 'box' },
  NodeResources: { Cpu: { CpuShares: 2000 }, Memory: { MemoryMB: 1000 }, Disk: { DiskMB: 5000 } },
  ReservedResources: { Cpu: { CpuShares: 100 }, Memory: { MemoryMB: 50 }, Disk: { DiskMB: 0 } },
});
const report = {
  rung: 'process',
  wanted: 'sandbox',
  floor: 'none',
  runtime: 'none',
  mechanisms: [],
};
const allocation = (ClientStatus: string, State: string): KnownAllocation =>
  ({
    ID: ClientStatus,
    ClientStatus,
    isolation: State === 'running' ? [report] : [],
    TaskStates: { t: { State } },
    AllocatedResources: {
      Shared: { DiskMB: 300 },
      Tasks: { t: { Cpu: { CpuShares: 500 }, Memory: { MemoryMB: 200, MemoryMaxMB: 0 } } },
    },
  }) as never;

it('counts what runs and what room is left; what ended takes up none', () => {
  const host = fill(HostStats, { Memory: { Total: 9 }, CPU: [{ CPU: 'cpu0', Idle: 80 }], Uptime: 7 });
  const gauges = nodeGauges(node, [allocation('running', 'running'), allocation('complete', 'dead')], host);
  const figure = (name: string) => gauges.find((gauge) => gauge.name === `nomad.client.${name}`)?.value;
  expect(figure('allocated.cpu')).toBe(500);
  expect(figure('unallocated.cpu')).toBe(1400);
  expect(figure('unallocated.memory')).toBe(750);
  expect(figure('allocations.running')).toBe(1);
  expect(figure('allocations.terminal')).toBe(1);
  expect(figure('tasks.dead')).toBe(1);
  expect(figure('isolation.degraded')).toBe(1);
  const byRung = gauges.filter(({ name }) => name === 'nomad.client.isolation.tasks');
  expect(byRung.filter(({ value }) => value > 0)).toMatchObject([{ value: 1, labels: { rung: 'process' } }]);
  expect(figure('host.memory.total')).toBe(9);
  expect(gauges.find((gauge) => gauge.labels['cpu'] === 'cpu0')?.labels).toMatchObject({
    node_id: 'n1',
    host: 'box',
    node_class: 'none',
    node_status: 'ready',
  });
});
